//! Waiting for a condition, with a deadline.

use std::time::Duration;

/// Asks again and again until the answer is `Some`, and panics when the deadline has passed.
pub async fn eventually<T, F>(deadline: Duration, mut ask: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    let answered = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let answer = tokio::time::timeout(deadline, answered).await;
    answer.unwrap_or_else(|_| panic!("not so within {deadline:?}"))
}
