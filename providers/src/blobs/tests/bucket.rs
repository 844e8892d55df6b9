//! Cloud Storage in small: objects by path, bearer token checked, and faults that are played one a request.

use parking_lot::Mutex;
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

pub const TOKEN: &str = "ya29.secret";

/// What goes wrong with a request, before anything is done.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fault {
    /// No answer.
    Hang,
    /// The connection is reset.
    Reset,
    /// Bytes that are no HTTP.
    Garbage,
    /// Another status, with Google's kind of body.
    Status(u16),
    /// The answer is right, and ends in the middle.
    Cut,
}

#[derive(Default)]
struct State {
    objects: BTreeMap<String, Vec<u8>>,
    faults: VecDeque<Fault>,
    requests: usize,
}

pub struct Bucket {
    pub url: String,
    state: Arc<Mutex<State>>,
}

struct Request {
    method: String,
    path: String,
    query: String,
    authorized: bool,
    body: Vec<u8>,
}

impl Bucket {
    pub async fn start(faults: &[Fault]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let bucket = Self { url: format!("http://{}", listener.local_addr().unwrap()), state: Arc::default() };
        bucket.breaks(faults);
        let state = bucket.state.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, state.clone()));
            }
        });
        bucket
    }
    pub fn breaks(&self, faults: &[Fault]) {
        self.state.lock().faults.extend(faults);
    }
    pub fn faults(&self) -> usize {
        self.state.lock().faults.len()
    }
    pub fn names(&self) -> Vec<String> {
        self.state.lock().objects.keys().cloned().collect()
    }
    pub fn requests(&self) -> usize {
        self.state.lock().requests
    }
}

/// One request a connection.
async fn serve(mut stream: TcpStream, state: Arc<Mutex<State>>) {
    let Some(request) = read(&mut stream).await else { return };
    let fault = {
        let mut state = state.lock();
        state.requests += 1;
        state.faults.pop_front()
    };
    let cut = fault == Some(Fault::Cut);
    let answer = match fault {
        Some(Fault::Hang) => std::future::pending().await,
        Some(Fault::Reset) => {
            // pending data and no patience make the kernel send a reset
            let _ = stream.set_zero_linger();
            return;
        }
        Some(Fault::Garbage) => b"\x16\x03\x01 certainly no HTTP\r\n\r\n".to_vec(),
        Some(Fault::Status(status)) => head(status, "", b"<?xml version='1.0'?><Error><Code>X</Code></Error>"),
        Some(Fault::Cut) | None => answer(&request, &mut state.lock()),
    };
    let _ = stream.write_all(&answer[..answer.len() - if cut { 4 } else { 0 }]).await;
    let _ = stream.shutdown().await;
}

async fn read(stream: &mut TcpStream) -> Option<Request> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..end].to_vec()).ok()?;
    let mut body = bytes.split_off(end + 4);
    let mut lines = head.lines();
    let mut first = lines.next()?.split(' ');
    let (method, target) = (first.next()?.to_owned(), first.next()?);
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let headers: BTreeMap<String, &str> =
        lines.filter_map(|line| line.split_once(": ")).map(|(name, value)| (name.to_lowercase(), value)).collect();
    let length: usize = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    while body.len() < length {
        if stream.read_buf(&mut body).await.ok()? == 0 {
            return None;
        }
    }
    let path = decoded(path);
    let authorized = headers.get("authorization") == Some(&format!("Bearer {TOKEN}").as_str());
    Some(Request { method, path, query: query.to_owned(), authorized, body })
}

/// A path as it was before it was written into a URL.
fn decoded(path: &str) -> String {
    object_store::path::Path::from_url_path(path).unwrap().to_string()
}

fn answer(request: &Request, state: &mut State) -> Vec<u8> {
    if !request.authorized {
        return head(401, "", b"<Error><Code>AuthenticationRequired</Code></Error>");
    }
    let facts = "ETag: \"1\"\r\nLast-Modified: Fri, 27 Nov 2026 10:00:00 GMT\r\n";
    match request.method.as_str() {
        "PUT" => {
            state.objects.insert(request.path.clone(), request.body.clone());
            head(200, facts, b"")
        }
        "GET" if request.query.contains("list-type=2") => head(200, "", listing(request, state).as_bytes()),
        "GET" => match state.objects.get(&request.path) {
            Some(bytes) => head(200, facts, bytes),
            None => head(404, "", b"<Error><Code>NoSuchKey</Code></Error>"),
        },
        "DELETE" => match state.objects.remove(&request.path) {
            Some(_) => head(204, "", b""),
            None => head(404, "", b"<Error><Code>NoSuchKey</Code></Error>"),
        },
        other => panic!("{other} was not thought of"),
    }
}

fn listing(request: &Request, state: &State) -> String {
    let prefix = request.query.split('&').find_map(|pair| pair.strip_prefix("prefix=")).unwrap_or_default();
    let whole = format!("{}/{}", request.path, decoded(prefix));
    let contents: String = state
        .objects
        .iter()
        .filter(|(name, _)| name.starts_with(&whole))
        .map(|(name, bytes)| {
            let (_, key) = name.split_once('/').unwrap();
            let size = bytes.len();
            format!(
                "<Contents><Key>{key}</Key><LastModified>2026-11-27T10:00:00.000Z</LastModified>\
                 <ETag>\"1\"</ETag><Size>{size}</Size></Contents>"
            )
        })
        .collect();
    format!("<?xml version='1.0' encoding='UTF-8'?><ListBucketResult>{contents}</ListBucketResult>")
}

fn head(status: u16, headers: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let mut bytes =
        format!("HTTP/1.1 {status} -\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n").into_bytes();
    bytes.extend_from_slice(body);
    bytes
}
