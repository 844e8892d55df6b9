//! What this process hears, speaks and thinks with. What the API needs (the embedder) comes first; ears and voices take
//! a second or two and come when they come. A sense that cannot be had is said, with what to do; the rest serves.

mod absent;
mod chosen;
mod local;
mod thinking;

use crate::config::{Config, Role, VoiceKind};
use futures::{
    FutureExt as _,
    future::{BoxFuture, Shared},
};
use local::LocalParts;
use maya_actors::parts::Senses as InterviewSenses;
use maya_protocol::clock::SharedClock;
use maya_providers::{
    embed::Embedder,
    testing::{EnergyVad, HashEmbedder, ModemStt, ModemTts, ScriptedEndOfTurn},
    tts::TextToSpeech,
};
use std::sync::Arc;
use thinking::Models;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Something that is being loaded; any number may wait for it.
pub type Loading<T> = Shared<BoxFuture<'static, Arc<T>>>;

/// The senses of this process.
pub struct Senses {
    /// Of the planner and the gateway's skills.
    pub embedding: Loading<Embedding>,
    /// Of the interviewer, and of a test candidate.
    pub talking: Loading<Talking>,
    /// The agents' models.
    pub models: Loading<Models>,
    settled: CancellationToken,
    stop: CancellationToken,
    loads: TaskTracker,
}

/// What embeds.
pub struct Embedding {
    /// None: it could not be had.
    pub embedder: Option<Arc<dyn Embedder>>,
    /// For people: its name, or what to do to have it.
    pub report: Vec<String>,
}

/// What holds a conversation.
pub struct Talking {
    /// Of the interviewer.
    pub interview: InterviewSenses,
    /// Of a test candidate.
    pub second_voice: Option<Arc<dyn TextToSpeech>>,
    /// For people: each sense with its name, or what to do to have it.
    pub report: Vec<String>,
}

/// Whose senses are wanted.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// These roles'.
    pub roles: &'a [Role],
    /// And a test candidate's.
    pub candidate: bool,
}

impl Senses {
    /// Begins to load what is wanted; fetches what is not in the cache.
    pub fn begin(config: &Config, wanted: Wanted, clock: SharedClock) -> Self {
        let settled = CancellationToken::new();
        let (asked, roles) = (config.clone(), wanted.roles.to_vec());
        let models = async move { Arc::new(Models::load(&asked, &roles).await) }.boxed().shared();
        let (embedding, talking) = match config.voices.kind {
            VoiceKind::Scripted => {
                let talking = models.clone().map(|models| Arc::new(Talking::scripted(&models))).boxed().shared();
                (ready(Embedding::scripted()), talking)
            }
            VoiceKind::Local => {
                let parts = LocalParts::new(config, wanted);
                let embedding = parts.clone().embedding(clock.clone()).map(Arc::new).boxed().shared();
                let talking = parts.talking(models.clone(), clock, settled.clone()).map(Arc::new).boxed().shared();
                (embedding, talking)
            }
        };
        let (stop, loads) = (CancellationToken::new(), TaskTracker::new());
        // they go on whether or not somebody waits for them
        loads.spawn(stop.clone().run_until_cancelled_owned(embedding.clone()));
        loads.spawn(stop.clone().run_until_cancelled_owned(models.clone()));
        loads.spawn(stop.clone().run_until_cancelled_owned(talking.clone()));
        Self { embedding, talking, models, settled, stop, loads }
    }

    /// Nothing else is being started any more: what is to be measured may be.
    pub fn settled(&self) {
        self.settled.cancel();
    }

    /// Breaks off what is still being fetched or loaded.
    pub async fn stop(&self) {
        self.stop.cancel();
        self.loads.close();
        self.loads.wait().await;
    }
}

fn ready<T: Send + Sync + 'static>(there: T) -> Loading<T> {
    std::future::ready(Arc::new(there)).boxed().shared()
}

impl Embedding {
    fn scripted() -> Self {
        Self { embedder: Some(Arc::new(HashEmbedder::default())), report: Vec::new() }
    }
}

impl Talking {
    fn scripted(models: &Models) -> Self {
        let interview = InterviewSenses {
            hears: Arc::new(ModemStt::default()),
            speaks: Arc::new(ModemTts::default()),
            notices: Arc::new(EnergyVad),
            judges: Arc::new(ScriptedEndOfTurn::default()),
            thinks: models.interviewer(),
        };
        let scripted = "hearing and voices are scripted: text as tones, and back".to_owned();
        let report = [scripted].into_iter().chain(models.missing.iter().cloned()).collect();
        Self { interview, second_voice: None, report }
    }
}
