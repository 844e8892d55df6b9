//! llama.cpp: a GGUF file, its chat template, and a working memory that remembers the beginning of the last prompt.

use super::{
    LlmOptions, NAME,
    engine::{Engine, Finish, Job, Listener},
    prompt,
    utf8::Letters,
};
use crate::{
    ProviderError,
    llm::{Message, Role},
};
use llama_cpp_2::{
    LogOptions,
    context::{LlamaContext, params::LlamaContextParams},
    json_schema_to_grammar,
    llama_backend::LlamaBackend,
    llama_batch::LlamaBatch,
    model::{LlamaChatMessage, LlamaChatTemplate, LlamaModel, params::LlamaModelParams},
    sampling::LlamaSampler,
    send_logs_to_tracing,
    token::LlamaToken,
};
use std::{num::NonZeroU32, path::Path, sync::OnceLock};

/// Tokens of a prompt that are read at a time; between two of them it is seen whether anyone still listens.
const STEP: usize = 128;

fn backend() -> Result<&'static LlamaBackend, ProviderError> {
    static BACKEND: OnceLock<Result<LlamaBackend, String>> = OnceLock::new();
    let backend = BACKEND.get_or_init(|| {
        // it would print prompts' shapes and a page at every start
        send_logs_to_tracing(LogOptions::default().with_logs_enabled(false));
        LlamaBackend::init().map_err(|error| error.to_string())
    });
    backend.as_ref().map_err(|error| ProviderError::fatal(NAME, error))
}

/// The weights. Kept for the life of the process: whoever loads a model uses it to the end.
pub(super) struct Model {
    weights: &'static LlamaModel,
    template: LlamaChatTemplate,
    name: String,
}

impl Model {
    pub(super) fn load(file: &Path) -> Result<Self, ProviderError> {
        let unusable = |why: &dyn std::fmt::Display| {
            ProviderError::fatal(NAME, format!("the model {} cannot be used: {why}", file.display()))
        };
        // the library's own word for a missing file is a null pointer
        std::fs::File::open(file).map_err(|error| unusable(&error))?;
        let weights = LlamaModel::load_from_file(backend()?, file, &LlamaModelParams::default())
            .map_err(|error| unusable(&error))?;
        let template = match weights.chat_template(None) {
            Ok(template) => template,
            Err(_) => LlamaChatTemplate::new("chatml").expect("a name without zero bytes"),
        };
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Self { weights: Box::leak(Box::new(weights)), template, name })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// A working memory over these weights.
    pub(super) fn engine(&self, options: &LlmOptions) -> Result<Llama, ProviderError> {
        let threads = i32::try_from(options.threads).unwrap_or(1).max(1);
        let context = options.context.min(self.weights.n_ctx_train()).max(256);
        let params = LlamaContextParams::default()
            .with_n_ctx(NonZeroU32::new(context))
            .with_n_threads(threads)
            .with_n_threads_batch(threads);
        let memory = self.weights.new_context(backend()?, params).map_err(|error| ProviderError::fatal(NAME, error))?;
        Ok(Llama {
            memory: Memory(memory),
            weights: self.weights,
            template: self.template.clone(),
            remembered: Vec::new(),
            uncertain: false,
            seed: options.seed,
        })
    }
}

struct Memory(LlamaContext<'static>);
// SAFETY: a llama.cpp context may be used from any thread, by one at a time; it is only reached by `&mut`.
unsafe impl Send for Memory {}

/// One thread's engine.
pub(super) struct Llama {
    memory: Memory,
    weights: &'static LlamaModel,
    template: LlamaChatTemplate,
    /// The tokens that the memory holds.
    remembered: Vec<LlamaToken>,
    /// An answer failed midway: nobody knows what the memory holds.
    uncertain: bool,
    seed: u32,
}

impl Engine for Llama {
    fn generate(&mut self, job: &Job, listener: &Listener) -> Result<Finish, ProviderError> {
        if self.uncertain {
            self.memory.0.clear_kv_cache();
            self.remembered.clear();
        }
        // until it is done, and after a panic
        self.uncertain = true;
        self.seed = self.seed.wrapping_add(1);
        let result = self.answer(job, listener);
        self.uncertain = result.is_err();
        result
    }
}

impl Llama {
    fn answer(&mut self, job: &Job, listener: &Listener) -> Result<Finish, ProviderError> {
        let prompt = self.prompt(job)?;
        let mut sampler = self.sampler(job)?;
        if !self.read(&prompt, listener)? {
            return Ok(Finish::Abandoned);
        }
        let room = self.memory.0.n_ctx() as usize - prompt.len();
        let most = room.min(job.max_tokens as usize);
        let (mut batch, mut letters) = (LlamaBatch::new(1, 1), Letters::default());
        for written in 0..most {
            // the last output there is: of the prompt's end, or of the token before
            let token = sampler.sample(&self.memory.0, -1);
            if self.weights.vocab().is_eog(token) {
                metrics::counter!("maya_local_llm_tokens_total", "of" => "answer").increment(written as u64);
                return Ok(Finish::Ended);
            }
            let piece = letters.push(&self.weights.vocab().token_to_piece(token, false, None));
            if (!piece.is_empty() && !listener.tell(piece)) || listener.is_gone() {
                return Ok(Finish::Abandoned);
            }
            self.take(&mut batch, &[token], true)?;
        }
        metrics::counter!("maya_local_llm_tokens_total", "of" => "answer").increment(most as u64);
        Ok(Finish::Cut)
    }

    /// The prompt's tokens, in the model's own form, with room left for an answer.
    fn prompt(&self, job: &Job) -> Result<Vec<LlamaToken>, ProviderError> {
        let context = self.memory.0.n_ctx() as usize;
        let budget = context.saturating_sub((job.max_tokens as usize).min(context / 2));
        let messages: Vec<Message> = job.messages.iter().map(|message| self.harmless(message)).collect();
        let shown = prompt::fitting(&messages, |shown| self.tokens(shown).is_ok_and(|tokens| tokens.len() <= budget));
        let shown = shown.ok_or_else(|| {
            ProviderError::fatal(NAME, format!("the prompt is longer than the {budget} tokens that there is room for"))
        })?;
        self.tokens(&shown)
    }

    fn tokens(&self, messages: &[Message]) -> Result<Vec<LlamaToken>, ProviderError> {
        let chat = messages.iter().map(|message| {
            let role = match message.role {
                Role::System => "system",
                Role::User => "user",
                Role::Assistant => "assistant",
            };
            LlamaChatMessage::new(role.to_owned(), message.content.replace('\0', " "))
        });
        let chat = chat.collect::<Result<Vec<_>, _>>().map_err(|error| ProviderError::fatal(NAME, error))?;
        let text = self
            .weights
            .apply_chat_template(&self.template, &chat, true)
            .map_err(|error| ProviderError::fatal(NAME, format!("the model's chat template: {error}")))?;
        Ok(self.weights.vocab().tokenize(text.as_bytes(), true, true))
    }

    /// A message in which nothing passes for the template's own marks, such as the end of a speaker's turn.
    fn harmless(&self, message: &Message) -> Message {
        let vocab = self.weights.vocab();
        let tokens = vocab.tokenize(message.content.as_bytes(), false, true);
        if !tokens.iter().any(|token| vocab.is_control(*token)) {
            return message.clone();
        }
        let plain: Vec<u8> = tokens.iter().flat_map(|token| vocab.token_to_piece(*token, false, None)).collect();
        Message { role: message.role, content: String::from_utf8_lossy(&plain).into_owned() }
    }

    fn sampler(&self, job: &Job) -> Result<LlamaSampler, ProviderError> {
        let mut chain = Vec::new();
        if let Some(schema) = &job.schema {
            let invalid = |error: &dyn std::fmt::Display| ProviderError::fatal(NAME, format!("the schema: {error}"));
            let grammar = json_schema_to_grammar(&schema.to_string()).map_err(|error| invalid(&error))?;
            chain.push(LlamaSampler::grammar(self.weights, &grammar, "root").map_err(|error| invalid(&error))?);
        }
        if job.temperature > 0.0 {
            chain.push(LlamaSampler::top_k(40));
            chain.push(LlamaSampler::top_p(0.95, 1));
            chain.push(LlamaSampler::temp(job.temperature));
            chain.push(LlamaSampler::dist(self.seed));
        } else {
            chain.push(LlamaSampler::greedy());
        }
        Ok(LlamaSampler::chain_simple(chain))
    }

    /// Reads a prompt from where it differs from what is remembered; `false` if nobody listens any more.
    fn read(&mut self, prompt: &[LlamaToken], listener: &Listener) -> Result<bool, ProviderError> {
        let same = self.remembered.iter().zip(prompt).take_while(|(known, token)| known == token).count();
        // its last token is read in any case: the answer begins at its output
        let mut known = same.min(prompt.len().saturating_sub(1));
        let forgotten = self.memory.0.clear_kv_cache_seq(Some(0), u32::try_from(known).ok(), None);
        if !forgotten.is_ok_and(|forgotten| forgotten) {
            self.memory.0.clear_kv_cache();
            known = 0;
        }
        self.remembered.truncate(known);
        metrics::counter!("maya_local_llm_tokens_total", "of" => "prompt").increment((prompt.len() - known) as u64);
        let mut batch = LlamaBatch::new(STEP, 1);
        let mut steps = prompt[known..].chunks(STEP).peekable();
        while let Some(step) = steps.next() {
            if listener.is_gone() {
                return Ok(false);
            }
            self.take(&mut batch, step, steps.peek().is_none())?;
        }
        Ok(true)
    }

    /// Takes tokens into the memory; with the output of the last of them, where one is wanted.
    fn take(&mut self, batch: &mut LlamaBatch, tokens: &[LlamaToken], output: bool) -> Result<(), ProviderError> {
        batch.clear();
        for (i, token) in tokens.iter().enumerate() {
            let place = (self.remembered.len() + i) as i32;
            batch
                .add(*token, place, &[0], output && i + 1 == tokens.len())
                .map_err(|error| ProviderError::retry(NAME, error))?;
        }
        self.memory.0.decode(batch).map_err(|error| ProviderError::retry(NAME, error))?;
        self.remembered.extend_from_slice(tokens);
        Ok(())
    }
}
