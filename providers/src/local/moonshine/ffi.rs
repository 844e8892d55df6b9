//! The C interface of `libmoonshine.so` (moonshine-voice 0.1.0), as small as we need it: load, transcribe, free.
//!
//! Layouts follow the wheel's own `moonshine_api.py`; a test of the round trip would fail on any drift.

use crate::{ProviderError, local::runtime};
use libloading::{Library, Symbol};
use std::{
    ffi::{CStr, CString, c_char},
    path::Path,
    ptr,
    sync::OnceLock,
};

/// Architecture 0: `tiny`.
const TINY: u32 = 0;
/// The version of the interface these declarations were written against (checked by the library).
const HEADER_VERSION: i32 = 30000;

#[repr(C)]
struct Opt {
    name: *const c_char,
    value: *const c_char,
}

#[repr(C)]
struct Line {
    text: *const c_char,
    audio: *const f32,
    audio_count: usize,
    start: f32,
    duration: f32,
    id: u64,
    flags: [i8; 5],
    spans: *const u8,
    span_count: u64,
    latency_ms: u32,
    words: *const u8,
    word_count: u64,
}

#[repr(C)]
struct Transcript {
    lines: *const Line,
    count: u64,
}

type Load = unsafe extern "C" fn(*const c_char, u32, *const Opt, u64, i32) -> i32;
type Free = unsafe extern "C" fn(i32);
type Transcribe = unsafe extern "C" fn(i32, *const f32, u64, i32, u32, *mut *const Transcript) -> i32;

static LIBRARY: OnceLock<Library> = OnceLock::new();

/// A loaded recogniser. One thread uses it at a time (`&mut`).
pub(super) struct Transcriber {
    handle: i32,
    transcribe: Transcribe,
    free: Free,
}

impl Transcriber {
    /// Loads from a folder that has `libmoonshine.so`, its own ONNX Runtime beside it, and `tiny-en/`.
    pub(super) fn load(dir: &Path) -> Result<Self, ProviderError> {
        let fail = |m: String| ProviderError::fatal("moonshine", m);
        let model = dir.join("tiny-en");
        for name in ["encoder_model.ort", "decoder_model_merged.ort", "tokenizer.bin"] {
            runtime::check_readable("moonshine", &model.join(name))?;
        }
        let path = dir.join("libmoonshine.so");
        let library = match LIBRARY.get() {
            Some(library) => library,
            None => {
                runtime::check_library(&path)?;
                // SAFETY: loading runs the library's initialisers. It is the pinned, checksummed wheel's own file, and
                // it stays loaded for the life of the process.
                let loaded = unsafe { Library::new(&path) }.map_err(|e| fail(e.to_string()))?;
                LIBRARY.get_or_init(|| loaded)
            }
        };
        // SAFETY: names and signatures are those of the wheel's `moonshine_api.py`.
        let (load, transcribe, free): (Load, Transcribe, Free) = unsafe {
            let load: Symbol<Load> = symbol(library, c"moonshine_load_transcriber_from_files")?;
            let transcribe: Symbol<Transcribe> = symbol(library, c"moonshine_transcribe_without_streaming")?;
            let free: Symbol<Free> = symbol(library, c"moonshine_free_transcriber")?;
            (*load, *transcribe, *free)
        };
        let model = CString::new(model.to_string_lossy().as_bytes()).map_err(|e| fail(e.to_string()))?;
        let options = [
            // Our own segmenter finds the pauses; 0 keeps the library from cutting again.
            (c"vad_threshold", c"0.0"),
            (c"return_audio_data", c"false"),
            (c"identify_speakers", c"false"),
        ];
        let options: Vec<Opt> = options.iter().map(|(n, v)| Opt { name: n.as_ptr(), value: v.as_ptr() }).collect();
        // SAFETY: all pointers outlive the call; the library copies what it keeps.
        let handle = unsafe { load(model.as_ptr(), TINY, options.as_ptr(), options.len() as u64, HEADER_VERSION) };
        if handle < 0 {
            return Err(fail(format!("cannot load the model of {}: code {handle}", dir.display())));
        }
        Ok(Self { handle, transcribe, free })
    }

    /// Recognises one piece (16 kHz, mono, -1 to 1): the lines the library made of it, with their seconds.
    pub(super) fn transcribe(&mut self, samples: &[f32]) -> Result<Vec<(String, f32)>, ProviderError> {
        let mut out: *const Transcript = ptr::null();
        // SAFETY: `samples` outlives the call; `out` then points to memory of the transcriber, good until its next call,
        // which `&mut self` keeps away while we copy.
        let code =
            unsafe { (self.transcribe)(self.handle, samples.as_ptr(), samples.len() as u64, 16_000, 0, &raw mut out) };
        if code != 0 || out.is_null() {
            return Err(ProviderError::retry("moonshine", format!("recognition failed: code {code}")));
        }
        let mut lines = Vec::new();
        // SAFETY: as above; `lines` has `count` entries whose `text` is null or ends in NUL.
        unsafe {
            let transcript = &*out;
            for line in (0..transcript.count as usize).map(|i| &*transcript.lines.add(i)) {
                if !line.text.is_null() {
                    lines.push((CStr::from_ptr(line.text).to_string_lossy().trim().to_owned(), line.duration));
                }
            }
        }
        Ok(lines)
    }
}

impl Drop for Transcriber {
    fn drop(&mut self) {
        // SAFETY: the handle came from `load` and is used nowhere else.
        unsafe { (self.free)(self.handle) }
    }
}

unsafe fn symbol<'a, T>(library: &'a Library, name: &CStr) -> Result<Symbol<'a, T>, ProviderError> {
    // SAFETY: the caller vouches for the type.
    unsafe { library.get(name.to_bytes_with_nul()) }.map_err(|e| ProviderError::fatal("moonshine", e))
}
