//! A mail server that speaks just enough SMTP, and treats each connection as a test says.

use parking_lot::Mutex;
use std::{collections::VecDeque, io, sync::Arc};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

/// How it treats a connection.
#[derive(Debug, Clone, Copy)]
pub enum Manner {
    /// Takes the mail.
    Takes,
    /// Refuses the recipient with this answer.
    Refuses(&'static str),
    /// Ends it at once.
    HangsUp,
    /// Is no mail server.
    Babbles,
    /// Never says a word.
    Silent,
}

/// It ends with the test.
pub struct MailServer {
    pub port: u16,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    /// Of the next connections; each after them is taken.
    manners: Mutex<VecDeque<Manner>>,
    mails: Mutex<Vec<String>>,
}

impl MailServer {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::<State>::default();
        let shared = state.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let manner = shared.manners.lock().pop_front().unwrap_or(Manner::Takes);
                tokio::spawn(talk(stream, manner, shared.clone()));
            }
        });
        Self { port, state }
    }

    /// How it treats the next connections.
    pub fn will(&self, manners: &[Manner]) {
        *self.state.manners.lock() = manners.iter().copied().collect();
    }

    /// What it took.
    pub fn mails(&self) -> Vec<String> {
        self.state.mails.lock().clone()
    }
}

async fn talk(stream: TcpStream, manner: Manner, state: Arc<State>) -> io::Result<()> {
    let (from, mut to) = stream.into_split();
    let mut lines = BufReader::new(from).lines();
    let greeting = match manner {
        Manner::Takes | Manner::Refuses(_) => "220 mail.acme.example\r\n",
        Manner::Babbles => "HTTP/1.1 400 Bad Request\r\n",
        Manner::Silent => "",
        Manner::HangsUp => return Ok(()),
    };
    to.write_all(greeting.as_bytes()).await?;
    while let Some(line) = lines.next_line().await? {
        let answer = match (line.get(..4).unwrap_or_default(), manner) {
            ("RCPT", Manner::Refuses(answer)) => answer,
            ("DATA", _) => {
                to.write_all(b"354 go on\r\n").await?;
                let mut mail = String::new();
                while let Some(line) = lines.next_line().await?.filter(|line| line != ".") {
                    mail.push_str(&line);
                    mail.push_str("\r\n");
                }
                state.mails.lock().push(mail);
                "250 taken"
            }
            ("QUIT", _) => "221 goodbye",
            // a greeting and a sender are always welcome
            _ => "250 mail.acme.example",
        };
        to.write_all(format!("{answer}\r\n").as_bytes()).await?;
    }
    Ok(())
}
