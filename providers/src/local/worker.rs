//! Threads that own a model, so that the async runtime never waits on arithmetic.
//!
//! Jobs wait in one bounded queue, the earliest due first. A job that panics answers with an error; its thread lives on.

use crate::ProviderError;
use parking_lot::{Condvar, Mutex};
use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};
use tokio::sync::{Semaphore, oneshot};

type Task<T> = Box<dyn FnOnce(&mut T) + Send>;

struct Job<T> {
    due: Reverse<(u64, u64)>,
    task: Task<T>,
}

impl<T> PartialEq for Job<T> {
    fn eq(&self, other: &Self) -> bool {
        self.due == other.due
    }
}
impl<T> Eq for Job<T> {}
impl<T> PartialOrd for Job<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl<T> Ord for Job<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.due.cmp(&other.due)
    }
}

struct Waiting<T> {
    jobs: BinaryHeap<Job<T>>,
    arrivals: u64,
    closed: bool,
}

struct Queue<T> {
    name: &'static str,
    waiting: Mutex<Waiting<T>>,
    arrived: Condvar,
    room: Semaphore,
}

/// Threads that share a queue, each with a state (a model) of its own.
pub(super) struct Worker<T> {
    queue: Arc<Queue<T>>,
}

impl<T: Send + 'static> Worker<T> {
    /// Starts a thread for each state. `depth` bounds the queue: callers wait for room.
    pub(super) fn start(name: &'static str, depth: usize, states: Vec<T>) -> Result<Self, ProviderError> {
        let queue = Arc::new(Queue {
            name,
            waiting: Mutex::new(Waiting { jobs: BinaryHeap::new(), arrivals: 0, closed: false }),
            arrived: Condvar::new(),
            room: Semaphore::new(depth),
        });
        let worker = Self { queue: queue.clone() };
        for state in states {
            let queue = queue.clone();
            std::thread::Builder::new()
                .name(format!("maya-{name}"))
                .spawn(move || serve(&queue, state))
                .map_err(|e| ProviderError::retry(name, format!("cannot start a thread: {e}")))?;
        }
        Ok(worker)
    }

    /// Runs one job on the model. `due` orders the queue (any unit, smaller is sooner; equals keep their order).
    /// A caller that goes away while its job waits takes the job with it.
    pub(super) async fn run<R: Send + 'static>(
        &self,
        due: u64,
        job: impl FnOnce(&mut T) -> Result<R, ProviderError> + Send + 'static,
    ) -> Result<R, ProviderError> {
        let name = self.queue.name;
        if self.queue.room.available_permits() == 0 {
            metrics::counter!("maya_local_worker_full_total", "worker" => name).increment(1);
        }
        let gone = |_| ProviderError::retry(name, "the model's thread is gone");
        self.queue.room.acquire().await.map_err(|_| ProviderError::retry(name, "the queue is closed"))?.forget();
        let (reply, answer) = oneshot::channel();
        self.push(
            due,
            Box::new(move |state: &mut T| {
                if !reply.is_closed() {
                    let result = catch_unwind(AssertUnwindSafe(|| job(state)))
                        .unwrap_or_else(|_| Err(ProviderError::retry(name, "the model panicked")));
                    let _ = reply.send(result);
                }
            }),
        );
        answer.await.map_err(gone)?
    }

    fn push(&self, due: u64, task: Task<T>) {
        let mut waiting = self.queue.waiting.lock();
        waiting.arrivals += 1;
        let arrival = waiting.arrivals;
        waiting.jobs.push(Job { due: Reverse((due, arrival)), task });
        self.queue.arrived.notify_one();
    }
}

impl<T> Drop for Worker<T> {
    fn drop(&mut self) {
        self.queue.waiting.lock().closed = true;
        self.queue.arrived.notify_all();
    }
}

fn serve<T>(queue: &Queue<T>, mut state: T) {
    loop {
        let job = {
            let mut waiting = queue.waiting.lock();
            loop {
                if let Some(job) = waiting.jobs.pop() {
                    break job;
                }
                if waiting.closed {
                    return;
                }
                queue.arrived.wait(&mut waiting);
            }
        };
        queue.room.add_permits(1);
        (job.task)(&mut state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_an_error_and_the_thread_lives_on() {
        let worker = Worker::start("test", 4, vec![1u32]).unwrap();
        let error = worker.run(0, |_| -> Result<(), _> { panic!("expected in this test") }).await.unwrap_err();
        assert!(error.is_retryable());
        assert_eq!(worker.run(0, |n| Ok(*n + 1)).await.unwrap(), 2);
    }

    #[tokio::test]
    async fn the_earliest_due_runs_first_and_a_departed_caller_takes_its_job_along() {
        let worker = Arc::new(Worker::start("test", 8, vec![Vec::<u64>::new()]).unwrap());
        let (open, gate) = std::sync::mpsc::channel::<()>();
        let (started, running) = oneshot::channel();
        let blocker = tokio::spawn({
            let worker = worker.clone();
            async move {
                worker
                    .run(0, move |_| {
                        let _ = started.send(());
                        let _ = gate.recv();
                        Ok(())
                    })
                    .await
            }
        });
        running.await.unwrap();
        let mut jobs = Vec::new();
        for due in [30u64, 10, 99, 20] {
            let mut job = Box::pin({
                let worker = worker.clone();
                async move {
                    worker
                        .run(due, move |seen| {
                            seen.push(due);
                            Ok(())
                        })
                        .await
                }
            });
            assert!(futures::poll!(job.as_mut()).is_pending());
            if due != 99 {
                jobs.push(job);
            }
        }
        open.send(()).unwrap();
        blocker.await.unwrap().unwrap();
        for job in jobs {
            job.await.unwrap();
        }
        assert_eq!(worker.run(u64::MAX, |seen| Ok(seen.clone())).await.unwrap(), [10, 20, 30]);
    }

    #[tokio::test]
    async fn a_full_queue_makes_callers_wait() {
        let worker = Arc::new(Worker::start("test", 1, vec![0u32]).unwrap());
        let (open, gate) = std::sync::mpsc::channel::<()>();
        let (started, running) = oneshot::channel();
        let w = worker.clone();
        let first = tokio::spawn(async move {
            w.run(0, move |_| {
                let _ = started.send(());
                let _ = gate.recv();
                Ok(())
            })
            .await
        });
        running.await.unwrap();
        let mut second = Box::pin(worker.run(0, |_| Ok(2)));
        assert!(futures::poll!(second.as_mut()).is_pending());
        let mut third = Box::pin(worker.run(0, |_| Ok(3)));
        assert!(futures::poll!(third.as_mut()).is_pending());
        assert_eq!(worker.queue.waiting.lock().jobs.len(), 1);
        open.send(()).unwrap();
        first.await.unwrap().unwrap();
        assert_eq!((second.await.unwrap(), third.await.unwrap()), (2, 3));
    }
}
