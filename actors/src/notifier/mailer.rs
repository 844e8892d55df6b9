//! The two ways that mail leaves: a folder in development, SMTP elsewhere.

use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    transport::smtp::{self, authentication::Credentials},
};
use std::{fmt, io, path::PathBuf, time::Duration};

/// How the way to a mail server is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encryption {
    /// Not at all: a relay on this machine (port 25).
    Plain,
    /// From STARTTLS on, or no mail is sent (port 587).
    StartTls,
    /// From the first byte on (port 465).
    Tls,
}

/// A mail server.
#[derive(Clone)]
pub struct SmtpSettings {
    /// Its name.
    pub host: String,
    /// Its port; the usual one of its encryption where absent.
    pub port: Option<u16>,
    /// User and password.
    pub credentials: Option<(String, String)>,
    /// How mail is kept private on the way there.
    pub encryption: Encryption,
    /// How long a mail may take, from looking the server up to its last word.
    pub timeout: Duration,
}
impl fmt::Debug for SmtpSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SmtpSettings").field("host", &self.host).field("port", &self.port).finish_non_exhaustive()
    }
}

/// Why a mail was not sent.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// The server refused it, or is away.
    #[error("mail server: {0}")]
    Smtp(#[from] smtp::Error),
    /// The server takes longer than it may.
    #[error("mail server: not done within {0:?}")]
    Late(Duration),
    /// The folder cannot be written.
    #[error("mail folder: {0}")]
    Folder(#[from] io::Error),
}
impl MailError {
    /// Whether trying again may help: all but what the server refused for good.
    pub fn is_retryable(&self) -> bool {
        !matches!(self, MailError::Smtp(error) if error.is_permanent())
    }
}

/// Sends mail.
pub enum Mailer {
    /// Writes `<id>.eml` into a folder.
    Folder(PathBuf),
    /// Hands it to a mail server.
    Smtp {
        /// The way there.
        transport: Box<AsyncSmtpTransport<Tokio1Executor>>,
        /// How long a mail may take.
        timeout: Duration,
    },
}

impl Mailer {
    /// A mailer through that server.
    pub fn smtp(settings: &SmtpSettings) -> Result<Self, MailError> {
        type Transport = AsyncSmtpTransport<Tokio1Executor>;
        let mut builder = match settings.encryption {
            Encryption::Plain => Transport::builder_dangerous(&settings.host),
            Encryption::StartTls => Transport::starttls_relay(&settings.host)?,
            Encryption::Tls => Transport::relay(&settings.host)?,
        };
        if let Some(port) = settings.port {
            builder = builder.port(port);
        }
        if let Some((user, password)) = settings.credentials.clone() {
            builder = builder.credentials(Credentials::new(user, password));
        }
        // lettre's own bound is on connecting only: a server that then says nothing would be waited for for good
        let transport = Box::new(builder.timeout(None).build());
        Ok(Self::Smtp { transport, timeout: settings.timeout })
    }

    /// Sends a mail; the same id in a folder is the same file.
    pub(super) async fn send(&self, id: &str, mail: Message) -> Result<(), MailError> {
        match self {
            Self::Folder(folder) => {
                tokio::fs::create_dir_all(folder).await?;
                // whoever watches the folder sees whole mails only
                let (part, whole) = (folder.join(format!(".{id}.part")), folder.join(format!("{id}.eml")));
                tokio::fs::write(&part, mail.formatted()).await?;
                tokio::fs::rename(part, whole).await?;
            }
            Self::Smtp { transport, timeout } => {
                let sent = tokio::time::timeout(*timeout, transport.send(mail)).await;
                sent.map_err(|_| MailError::Late(*timeout))??;
            }
        }
        Ok(())
    }
}
