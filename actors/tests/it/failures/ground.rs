//! What a node stands on, made to fail: database, clock.

use chrono::{DateTime, TimeDelta, Utc};
use maya_protocol::clock::{Clock, SystemClock};
use parking_lot::Mutex;
use std::time::Instant;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// A clock whose wall time jumps when it is told to.
#[derive(Default)]
pub struct JumpingClock {
    by: Mutex<TimeDelta>,
}

impl JumpingClock {
    pub fn jump(&self, by: TimeDelta) {
        *self.by.lock() += by;
    }
}

impl Clock for JumpingClock {
    fn now(&self) -> Instant {
        SystemClock.now()
    }
    fn utc(&self) -> DateTime<Utc> {
        SystemClock.utc() + *self.by.lock()
    }
}

/// The way to a database, which can be cut: open connections break, new ones are refused.
pub struct Line {
    whole: watch::Sender<bool>,
    pub url: String,
}

impl Line {
    /// To the database at that URL.
    pub async fn to(url: &str) -> Self {
        let (head, database) = url.rsplit_once('/').expect("a URL names a database");
        let (login, server) = head.rsplit_once('@').expect("a URL names a server");
        let server = server.to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("{login}@{}/{database}", listener.local_addr().unwrap());
        let (whole, seen) = watch::channel(true);
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let (server, mut seen) = (server.clone(), seen.clone());
                if !*seen.borrow() {
                    continue;
                }
                tokio::spawn(async move {
                    let Ok(mut far) = TcpStream::connect(server).await else { return };
                    tokio::select! {
                        _ = copy_bidirectional(&mut near, &mut far) => {}
                        _ = seen.wait_for(|whole| !whole) => {}
                    }
                });
            }
        });
        Self { whole, url }
    }
    pub fn cut(&self) {
        self.whole.send_replace(false);
    }
    pub fn mend(&self) {
        self.whole.send_replace(true);
    }
}
