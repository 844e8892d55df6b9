//! A TCP link to a real part, which a test can stall or cut at the worst moment.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    task::{AbortHandle, JoinSet},
};

/// The link. Dropped, it is cut.
pub struct Link {
    address: SocketAddr,
    state: Arc<State>,
    accepting: AbortHandle,
}

struct State {
    flows: watch::Sender<bool>,
    /// The answer to the next message with these bytes is lost.
    loses: Mutex<Option<&'static [u8]>>,
    lost: AtomicU32,
    connections: AtomicU32,
}

impl Link {
    /// A link to that address.
    pub async fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound socket has its address");
        let state = Arc::new(State {
            flows: watch::Sender::new(true),
            loses: Mutex::new(None),
            lost: AtomicU32::new(0),
            connections: AtomicU32::new(0),
        });
        let accepting = tokio::spawn(accept(listener, target, state.clone())).abort_handle();
        Self { address, state, accepting }
    }

    /// Where it is entered.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Nothing passes any more, in either direction, until [`Link::flow`].
    pub fn stall(&self) {
        self.state.flows.send_replace(false);
    }

    /// What was held back passes, and all that follows.
    pub fn flow(&self) {
        self.state.flows.send_replace(true);
    }

    /// Lets the next message that holds these bytes reach the part, and cuts its connection instead of the answer.
    pub fn lose_the_answer_to(&self, bytes: &'static [u8]) {
        *self.state.loses.lock().unwrap_or_else(PoisonError::into_inner) = Some(bytes);
    }

    /// How many answers were lost.
    pub fn lost(&self) -> u32 {
        self.state.lost.load(Ordering::Relaxed)
    }

    /// How many connections were opened over it so far.
    pub fn connections(&self) -> u32 {
        self.state.connections.load(Ordering::Relaxed)
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, target: SocketAddr, state: Arc<State>) {
    // aborted with this task
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        state.connections.fetch_add(1, Ordering::Relaxed);
        let Ok(part) = TcpStream::connect(target).await else { continue };
        // a test measures nothing here, but must not wait for delayed acknowledgements either
        let _ = (client.set_nodelay(true), part.set_nodelay(true));
        connections.spawn(connect(client, part, state.clone()));
        while connections.try_join_next().is_some() {}
    }
}

async fn connect(client: TcpStream, part: TcpStream, state: Arc<State>) {
    let (from_client, to_client) = client.into_split();
    let (from_part, to_part) = part.into_split();
    let loses = watch::Sender::new(false);
    tokio::select! {
        () = ask(from_client, to_part, &state, &loses) => {}
        () = answer(from_part, to_client, &state, &loses) => {}
    }
}

async fn ask(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, state: &State, loses: &watch::Sender<bool>) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        let message = &buffer[..length];
        flows(state).await;
        {
            let mut wanted = state.loses.lock().unwrap_or_else(PoisonError::into_inner);
            if wanted.is_some_and(|bytes| message.windows(bytes.len()).any(|window| window == bytes)) {
                *wanted = None;
                loses.send_replace(true);
            }
        }
        if to.write_all(message).await.is_err() {
            return;
        }
    }
}

async fn answer(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, state: &State, loses: &watch::Sender<bool>) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        flows(state).await;
        if *loses.borrow() {
            state.lost.fetch_add(1, Ordering::Relaxed);
            return;
        }
        if to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}

async fn flows(state: &State) {
    // the sender lives in the same state: this ends when it flows
    let _ = state.flows.subscribe().wait_for(|flows| *flows).await;
}
