//! The two ways that mail leaves: a folder in development, SMTP elsewhere.

use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    transport::smtp::{self, authentication::Credentials},
};
use std::{fmt, io, path::PathBuf, time::Duration};

/// A mail server.
#[derive(Clone)]
pub struct SmtpSettings {
    /// Its name.
    pub host: String,
    /// Its port; 587 where absent.
    pub port: Option<u16>,
    /// User and password.
    pub credentials: Option<(String, String)>,
    /// Whether mail may go unencrypted (a relay on this machine).
    pub plain: bool,
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
    Smtp(Box<AsyncSmtpTransport<Tokio1Executor>>),
}

impl Mailer {
    /// A mailer through that server.
    pub fn smtp(settings: &SmtpSettings) -> Result<Self, MailError> {
        type Transport = AsyncSmtpTransport<Tokio1Executor>;
        let mut builder = if settings.plain {
            Transport::builder_dangerous(&settings.host)
        } else {
            Transport::starttls_relay(&settings.host)?
        };
        if let Some(port) = settings.port {
            builder = builder.port(port);
        }
        if let Some((user, password)) = settings.credentials.clone() {
            builder = builder.credentials(Credentials::new(user, password));
        }
        Ok(Self::Smtp(Box::new(builder.timeout(Some(Duration::from_secs(20))).build())))
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
            Self::Smtp(transport) => {
                transport.send(mail).await?;
            }
        }
        Ok(())
    }
}
