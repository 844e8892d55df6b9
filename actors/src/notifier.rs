//! Tells people that something waits for them: a mail to the tenant's address, with the call that goes on.
//!
//! A mail is sent at least once; its `Message-ID` is the event's, so that a second copy is recognised (and in
//! development, where mails are files, replaces the first).

mod mailer;

pub use mailer::{Encryption, MailError, Mailer, SmtpSettings};

use async_trait::async_trait;
use lettre::{
    Message,
    message::{Mailbox, header::ContentType},
};
use maya_protocol::{
    event::{Event, InfoNeeded, Payload},
    topic::Topic,
};
use maya_store::{
    Store, StoreError,
    inbox::{Done, HandleError, Handler},
};
use url::Url;

/// Who writes and where the calls go.
#[derive(Debug, Clone)]
pub struct NotifierSettings {
    /// The sender, e.g. `Maya <maya@example.com>`.
    pub from: Mailbox,
    /// Base of the REST calls, e.g. `https://maya.example.com/`.
    pub gateway: Url,
}

/// Sends the mails; run by [`maya_store::inbox::run`].
pub struct Notifier {
    store: Store,
    mailer: Mailer,
    settings: NotifierSettings,
}

impl Notifier {
    /// A notifier that sends by that mailer.
    pub fn new(store: Store, mailer: Mailer, settings: NotifierSettings) -> Self {
        Self { store, mailer, settings }
    }

    fn mail(&self, event: &Event, to: Mailbox, needed: &InfoNeeded) -> Result<Message, HandleError> {
        let id = needed.interview_id;
        let mut call = self.settings.gateway.clone();
        call.set_path(&format!("{}/api/v1/integration/interviews/{id}", call.path().trim_end_matches('/')));
        // the recruiter's own id, never the candidate's name: mail travels in the open
        let own = needed.external_id.as_deref().map(header_safe).filter(|own| !own.is_empty());
        let yours = own.as_ref().map(|own| format!("Your id: {own}\n")).unwrap_or_default();
        let which = own.unwrap_or_else(|| id.to_string());
        let missing: String =
            needed.missing.iter().map(|field| format!("  - {}: {}\n", field.field, field.message)).collect();
        let body = format!(
            "An interview cannot go on until somebody completes its data.\n\n\
             Interview: {id}\n{yours}\nMissing:\n{missing}\n\
             Complete it with this call. Its body is the missing fields as JSON, or \"waive\" with a list of those \
             that may stay absent.\nPATCH {call}\n"
        );
        let domain = self.settings.from.email.domain();
        Message::builder()
            .from(self.settings.from.clone())
            .to(to)
            .subject(format!("Interview {which}: information needed"))
            .message_id(Some(format!("<{}@{domain}>", event.id)))
            .header(ContentType::TEXT_PLAIN)
            .body(body)
            .map_err(|error| HandleError::Never(error.to_string()))
    }
}

/// A text that stays on its line.
fn header_safe(text: &str) -> String {
    text.chars().filter(|char| !char.is_control()).take(100).collect()
}

#[async_trait]
impl Handler for Notifier {
    fn consumer(&self) -> &'static str {
        "notifier"
    }
    fn topics(&self) -> &'static [Topic] {
        &[Topic::InfoNeeded]
    }
    async fn handle(&self, event: &Event, done: Done) -> Result<(), HandleError> {
        let Payload::InfoNeeded(needed) = &event.payload else { return Ok(()) };
        let mut tx = self.store.tenant(event.tenant).await?;
        let address: Option<String> = sqlx::query_scalar("select email from tenants where tenant_id = $1")
            .bind(event.tenant.0)
            .fetch_one(tx.conn())
            .await
            .map_err(StoreError::from)?;
        tx.commit().await?;
        let to = match address.as_deref().map(str::parse::<Mailbox>) {
            None => {
                tracing::warn!(tenant.id = %event.tenant, "a tenant without an address is not told by mail");
                None
            }
            Some(Err(_)) => return Err(HandleError::Never("the tenant's address is none".to_owned())),
            Some(Ok(to)) => Some(to),
        };
        if let Some(to) = to {
            let mail = self.mail(event, to, needed)?;
            match self.mailer.send(&event.id.to_string(), mail).await {
                Ok(()) => {}
                Err(error) if error.is_retryable() => return Err(HandleError::Retry(error.to_string())),
                Err(error) => return Err(HandleError::Never(error.to_string())),
            }
        }
        let mut tx = self.store.tenant(event.tenant).await?;
        done.mark(&mut tx).await?;
        tx.commit().await?;
        Ok(())
    }
}
