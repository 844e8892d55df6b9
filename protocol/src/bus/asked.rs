//! What is asked about partitions before they are read, beside the reading of the others: a partition without a leader
//! answers late, and must not make its reader deaf to the rest.

use super::BusError;
use std::{collections::HashMap, future::pending};
use tokio::task::{AbortHandle, JoinSet};

/// Questions that are open, at most one a partition. What is open when this is dropped is given up.
pub struct Asked<T> {
    tasks: JoinSet<(u32, Result<T, BusError>)>,
    open: HashMap<u32, AbortHandle>,
}

impl<T: Send + 'static> Default for Asked<T> {
    fn default() -> Self {
        Self { tasks: JoinSet::new(), open: HashMap::new() }
    }
}

impl<T: Send + 'static> Asked<T> {
    /// Asks, unless it is being asked.
    pub fn ask(&mut self, partition: u32, answer: impl Future<Output = Result<T, BusError>> + Send + 'static) {
        let tasks = &mut self.tasks;
        self.open.entry(partition).or_insert_with(|| tasks.spawn(async move { (partition, answer.await) }));
    }

    /// Whether it is being asked.
    pub fn contains(&self, partition: u32) -> bool {
        self.open.contains_key(&partition)
    }

    /// Whether nothing is.
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Gives up all but these.
    pub fn retain(&mut self, wanted: impl Fn(u32) -> bool) {
        self.open.retain(|partition, task| {
            let wanted = wanted(*partition);
            if !wanted {
                task.abort();
            }
            wanted
        });
    }

    /// The next answer; waits for ever while nothing is asked. Cancel-safe.
    pub async fn next(&mut self) -> (u32, Result<T, BusError>) {
        loop {
            match self.tasks.join_next().await {
                None => pending().await,
                Some(Ok((partition, answer))) if self.open.remove(&partition).is_some() => return (partition, answer),
                Some(Err(error)) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                // given up
                Some(_) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::oneshot;

    #[tokio::test]
    async fn who_answers_first_is_told_first_and_what_is_given_up_is_not() {
        let (mut asked, (late, waits)) = (Asked::default(), oneshot::channel());
        asked.ask(1, async { Ok(waits.await.unwrap()) });
        asked.ask(2, async { Ok("two") });
        asked.ask(2, async { Ok("again") });
        asked.ask(3, pending());
        assert!(matches!(asked.next().await, (2, Ok("two"))));
        asked.retain(|partition| partition != 3);
        assert!(asked.contains(1) && !asked.contains(2) && !asked.contains(3));
        late.send("one").unwrap();
        assert!(matches!(asked.next().await, (1, Ok("one"))));
        assert!(asked.is_empty());
        asked.ask(3, async { Err(BusError::Closed) });
        assert!(matches!(asked.next().await, (3, Err(BusError::Closed))));
    }
}
