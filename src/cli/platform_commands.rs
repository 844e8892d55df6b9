//! `maya topics`, `maya tenant create`, `maya key create`: short commands on the platform's parts.

use crate::{config::Config, platform};
use clap::{Args, Subcommand};
use maya_gateway::auth::Role;
use maya_protocol::ids::TenantId;

/// `maya topics`
#[derive(Debug, Args)]
pub struct Topics {
    /// Creates what is missing
    #[arg(long)]
    create: bool,
}
impl Topics {
    /// Checks or creates.
    pub async fn run(self, config: Config) -> anyhow::Result<()> {
        platform::ensure_topics(config, self.create).await
    }
}

/// `maya tenant …`
#[derive(Debug, Subcommand)]
pub enum Tenant {
    /// Makes a tenant with its first ADMIN key, and prints both; the secrets are shown this once
    Create {
        /// The tenant's name
        #[arg(long)]
        name: String,
        /// Where its people's notices go
        #[arg(long)]
        email: Option<String>,
        /// Prints one JSON object
        #[arg(long)]
        json: bool,
    },
}
impl Tenant {
    /// Makes it.
    pub async fn run(self, config: Config) -> anyhow::Result<()> {
        let Tenant::Create { name, email, json } = self;
        let made = platform::create_tenant(config, &name, email.as_deref()).await?;
        if json {
            println!("{}", serde_json::to_string(&made)?);
        } else {
            println!("tenant          {}", made.tenant_id);
            println!("API key         {}", made.api_key);
            println!("webhook secret  {}", made.webhook_secret);
        }
        Ok(())
    }
}

/// `maya key …`
#[derive(Debug, Subcommand)]
pub enum Key {
    /// Makes a key for a tenant, and prints it this once
    Create {
        /// Whose key
        #[arg(long)]
        tenant: TenantId,
        /// ADMIN, RECRUITER, VIEWER or OPERATOR
        #[arg(long)]
        role: Role,
        /// For people
        #[arg(long, default_value = "made on the command line")]
        name: String,
        /// Prints one JSON object
        #[arg(long)]
        json: bool,
    },
}
impl Key {
    /// Makes it.
    pub async fn run(self, config: Config) -> anyhow::Result<()> {
        let Key::Create { tenant, role, name, json } = self;
        let made = platform::create_key(config, tenant, &name, role).await?;
        if json {
            println!("{}", serde_json::to_string(&made)?)
        } else {
            println!("{}", made.api_key)
        }
        Ok(())
    }
}
