//! Files, standard input and gzip, in blocks of whole records, in constant memory.

use std::collections::HashSet;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use indicatif::{ProgressBar, ProgressStyle};
use memchr::{memchr, memrchr};

use crate::clean::clean;
use crate::packed::unpacked;
use crate::read::continues;

/// How much is read and counted at once: what stays in a processor's cache.
const BLOCK: usize = 1 << 18;

/// No log line of an agent is this long. What is, is not read.
const LONGEST: usize = 1 << 20;

/// Shorter work needs no progress bar.
const SHOW_PROGRESS_FROM: u64 = 256 << 20;

const STANDARD_INPUT: &str = "standard input";

/// A log that is there.
pub(crate) struct Input {
    /// Safe to be shown.
    pub(crate) name: String,
    path: Option<PathBuf>,
    identity: Option<Identity>,
    size: u64,
}

/// The logs to read, each once, and the names of those that are the same as one before.
pub(crate) struct Inputs {
    pub(crate) inputs: Vec<Input>,
    pub(crate) same: Vec<String>,
}

impl Inputs {
    /// Every file has to be there before the first is read.
    pub(crate) fn find(paths: &[PathBuf]) -> Result<Self, String> {
        let mut known = HashSet::new();
        let (mut inputs, mut same) = (Vec::new(), Vec::new());
        for path in paths {
            let input = Input::find(path)?;
            if input.identity.is_none_or(|identity| known.insert(identity)) {
                inputs.push(input);
            } else {
                same.push(input.name);
            }
        }
        Ok(Self { inputs, same })
    }
}

/// What makes two names the same file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Identity(u64, u64);

#[cfg(unix)]
impl Identity {
    fn new(metadata: &std::fs::Metadata, _: &Path) -> Self {
        use std::os::unix::fs::MetadataExt;
        Self(metadata.dev(), metadata.ino())
    }
}

#[cfg(not(unix))]
impl Identity {
    fn new(_: &std::fs::Metadata, path: &Path) -> Self {
        use std::hash::{DefaultHasher, Hash, Hasher};
        let mut hasher = DefaultHasher::new();
        path.canonicalize().unwrap_or_else(|_| path.to_owned()).hash(&mut hasher);
        Self(0, hasher.finish())
    }
}

/// What standard input is, where it is a file.
#[cfg(unix)]
fn standard_input() -> Option<std::fs::Metadata> {
    use std::os::fd::AsFd;
    let file = File::from(io::stdin().as_fd().try_clone_to_owned().ok()?);
    file.metadata().ok()
}

#[cfg(not(unix))]
fn standard_input() -> Option<std::fs::Metadata> {
    None
}

impl Input {
    fn find(path: &Path) -> Result<Self, String> {
        if path == Path::new("-") {
            let metadata = standard_input();
            return Ok(Self {
                name: STANDARD_INPUT.to_owned(),
                path: None,
                size: metadata.as_ref().map_or(0, std::fs::Metadata::len),
                identity: metadata.map(|metadata| Identity::new(&metadata, path)),
            });
        }
        let name = clean(&path.to_string_lossy());
        let explain = |error: io::Error| format!("can't read {name}: {error}");
        let metadata = path.metadata().map_err(explain)?;
        if metadata.is_dir() {
            return Err(format!("can't read {name}: it is a directory; name the logs in it"));
        }
        if metadata.is_file() {
            File::open(path).map_err(explain)?;
        }
        Ok(Self {
            name,
            path: Some(path.to_owned()),
            identity: Some(Identity::new(&metadata, path)),
            size: metadata.len(),
        })
    }

    /// Opens it, unless it has become one that was opened before, and whether it is the file that was found.
    fn open(&self, bar: &ProgressBar, opened: &mut HashSet<Identity>) -> Opened {
        let Some(path) = &self.path else {
            return Ok((unpacked(Box::new(bar.wrap_read(io::stdin())))?, None));
        };
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        let identity = Identity::new(&metadata, path);
        let is_new = opened.insert(identity);
        let note = (self.identity != Some(identity)).then_some(Note::Replaced);
        if note.is_some() && !is_new {
            return Ok((Box::new(io::empty()), note));
        }
        let missing = if metadata.is_file() { metadata.len() } else { 0 };
        let file = bar.wrap_read(file);
        Ok((unpacked(Box::new(Whole { file, missing }))?, note))
    }
}

type Opened = io::Result<(Box<dyn Read + Send>, Option<Note>)>;

/// What is to be noted about a log.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Note {
    /// It is another file than it was when it was found.
    Replaced,
    /// It is shorter than it was when it was opened.
    Cut,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl std::error::Error for Note {}

/// A file that ends where it ended when it was opened, or later.
struct Whole<R> {
    file: R,
    missing: u64,
}

impl<R: Read> Read for Whole<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.missing = self.missing.saturating_sub(read as u64);
        if read == 0 && self.missing > 0 && !buffer.is_empty() {
            self.missing = 0;
            return Err(io::Error::other(Note::Cut));
        }
        Ok(read)
    }
}

/// A part of a log that ends where a record ends.
pub(crate) struct Block {
    buffer: Vec<u8>,
    length: usize,
    pub(crate) content: Content,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content {
    Lines,
    /// Nothing, in place of a line that is too long to be read.
    TooLong,
}

impl Block {
    pub(crate) fn new() -> Self {
        Self { buffer: vec![0; LONGEST], length: 0, content: Content::Lines }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.buffer[..self.length]
    }

    /// Reads until there is so much in the block or the log ends, and whether it goes on.
    fn fill(&mut self, reader: &mut dyn Read, length: usize) -> io::Result<bool> {
        while self.length < length {
            match reader.read(&mut self.buffer[self.length..length]) {
                Ok(0) => return Ok(false),
                Ok(read) => self.length += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }
}

/// A block after the last, or why there is none.
pub(crate) enum Next {
    Block { file: usize },
    Error { file: usize, error: io::Error },
    Note { file: usize, note: Note },
}

/// All logs, block by block.
pub(crate) struct Source {
    files: Vec<Input>,
    next: usize,
    opened: HashSet<Identity>,
    reader: Option<Box<dyn Read + Send>>,
    /// What was read but not given out.
    tail: Vec<u8>,
    error: Option<io::Error>,
    bar: ProgressBar,
}

impl Source {
    pub(crate) fn new(files: Vec<Input>, bar: ProgressBar) -> Self {
        Self { files, next: 0, opened: HashSet::new(), reader: None, tail: Vec::new(), error: None, bar }
    }

    /// The next block, in the order of the files and of their lines.
    pub(crate) fn next(&mut self, block: &mut Block) -> Option<Next> {
        loop {
            let file = self.next.saturating_sub(1);
            if let Some(error) = self.error.take() {
                let note = error.get_ref().and_then(|error| error.downcast_ref());
                return Some(match note {
                    Some(note) => Next::Note { file, note: *note },
                    None => Next::Error { file, error },
                });
            }
            if let Some(mut reader) = self.reader.take() {
                let more = self.fill(block, &mut *reader);
                if more {
                    self.reader = Some(reader);
                }
                if block.length > 0 || block.content == Content::TooLong {
                    return Some(Next::Block { file });
                }
                continue;
            }
            let input = self.files.get(self.next)?;
            self.next += 1;
            match input.open(&self.bar, &mut self.opened) {
                Ok((reader, note)) => {
                    self.reader = Some(reader);
                    if let Some(note) = note {
                        let file = self.next - 1;
                        return Some(Next::Note { file, note });
                    }
                }
                Err(error) => self.error = Some(error),
            }
        }
    }

    /// Fills a block, and whether its log goes on.
    fn fill(&mut self, block: &mut Block, reader: &mut dyn Read) -> bool {
        block.content = Content::Lines;
        block.length = self.tail.len();
        block.buffer[..self.tail.len()].copy_from_slice(&self.tail);
        self.tail.clear();
        // A line that is longer than a block gets what it needs, up to the longest.
        for length in [BLOCK, LONGEST] {
            match block.fill(reader, length) {
                Ok(false) => return false,
                // What came before an error counts.
                Err(error) => {
                    self.error = Some(error);
                    return false;
                }
                Ok(true) => {}
            }
            let end = record_end(block.bytes());
            if end > 0 {
                self.tail.extend_from_slice(&block.bytes()[end..]);
                block.length = end;
                return true;
            }
        }
        block.content = Content::TooLong;
        let more = self.skip_line(block, reader);
        block.length = 0;
        more
    }

    /// Reads on to the end of a line that fills the block.
    fn skip_line(&mut self, block: &mut Block, reader: &mut dyn Read) -> bool {
        loop {
            block.length = 0;
            let more = match block.fill(reader, LONGEST) {
                Ok(more) => more,
                Err(error) => {
                    self.error = Some(error);
                    false
                }
            };
            if let Some(end) = memchr(b'\n', block.bytes()) {
                self.tail.extend_from_slice(&block.bytes()[end + 1..]);
                // At the end of the log, the next call gives out the tail and finds nothing more.
                return true;
            }
            if !more {
                return false;
            }
        }
    }
}

/// Where the last record ends that is whole: before the last whole line that belongs to none above it.
fn record_end(bytes: &[u8]) -> usize {
    let Some(last) = memrchr(b'\n', bytes) else {
        return 0;
    };
    let mut end = last;
    while let Some(before) = memrchr(b'\n', &bytes[..end]) {
        if !continues(&bytes[before + 1..end]) {
            return before + 1;
        }
        end = before;
    }
    last + 1
}

/// A bar on standard error, if that is a terminal and the work is long.
pub(crate) fn progress(inputs: &[Input]) -> ProgressBar {
    let size = inputs.iter().map(|input| input.size).sum();
    if size < SHOW_PROGRESS_FROM {
        return ProgressBar::hidden();
    }
    let style =
        ProgressStyle::with_template("{bar:40} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left");
    ProgressBar::new(size).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
