//! A webhook receiver on loopback that does as it is told, badly if need be.

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use std::sync::{Arc, Mutex};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// What it does with a request, once it has read it.
#[derive(Debug, Clone)]
pub enum Does {
    /// A status line's number and reason, and headers.
    Answers(&'static str, &'static str),
    Hangs,
    Resets,
    Garbage,
    /// A head without an end.
    Endless,
}

pub const OK: Does = Does::Answers("204 No Content", "");

/// What was received.
#[derive(Debug, Clone)]
pub struct Received {
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

pub struct Receiver {
    pub url: String,
    script: Arc<Mutex<Vec<Does>>>,
    received: Arc<Mutex<Vec<Received>>>,
}

impl Receiver {
    /// Does the steps one after another, then the last one for ever.
    pub async fn start(script: &[Does]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let script = Arc::new(Mutex::new(script.to_vec()));
        let received = Arc::new(Mutex::new(Vec::new()));
        let (steps, log) = (script.clone(), received.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, steps.clone(), log.clone()));
            }
        });
        Self { url, script, received }
    }
    pub fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }
    pub fn now_does(&self, does: Does) {
        *self.script.lock().unwrap() = vec![does];
    }
}

async fn serve(mut stream: TcpStream, script: Arc<Mutex<Vec<Does>>>, log: Arc<Mutex<Vec<Received>>>) {
    while let Some(request) = read(&mut stream).await {
        let does = {
            let mut script = script.lock().unwrap();
            log.lock().unwrap().push(request);
            if script.len() > 1 { script.remove(0) } else { script[0].clone() }
        };
        match does {
            Does::Answers(status, headers) => {
                let answer = format!("HTTP/1.1 {status}\r\n{headers}content-length: 0\r\n\r\n");
                let _ = stream.write_all(answer.as_bytes()).await;
            }
            Does::Hangs => std::future::pending().await,
            Does::Resets => {
                let _ = stream.set_zero_linger();
                return;
            }
            Does::Garbage => {
                let _ = stream.write_all(b"\x16\x03\x01 this is no HTTP\r\n\r\n").await;
                return;
            }
            Does::Endless => {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n").await;
                while stream.write_all(b"x-more: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n").await.is_ok() {}
                return;
            }
        }
    }
}

async fn read(stream: &mut TcpStream) -> Option<Received> {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
            let headers = HeaderMap::from_iter(head.lines().skip(1).map(|line| {
                let (name, value) = line.split_once(": ").unwrap();
                (name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap())
            }));
            let length: usize = headers["content-length"].to_str().unwrap().parse().unwrap();
            if bytes.len() >= end + 4 + length {
                return Some(Received { headers, body: bytes[end + 4..end + 4 + length].to_vec() });
            }
        }
        let mut buffer = [0; 4096];
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return None,
            Ok(count) => bytes.extend_from_slice(&buffer[..count]),
        }
    }
}
