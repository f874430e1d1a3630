//! Files, standard input and gzip, in blocks of whole records, in constant memory.

use std::collections::{HashSet, VecDeque};
use std::fs::{File, Metadata};
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use indicatif::{ProgressBar, ProgressStyle};
use memchr::{memchr, memrchr};

use crate::clean::clean;
use crate::packed::unpacked;
use crate::read::continues;
use crate::tally::Skipped;

/// How much is read and counted at once: what stays in a processor's cache.
const BLOCK: usize = 1 << 18;

/// No log line of an agent is this long. What is, is not read.
const LONGEST: usize = 1 << 20;

/// Shorter work needs no progress bar.
const SHOW_PROGRESS_FROM: u64 = 256 << 20;

/// A log that is there.
struct Input {
    /// Safe to be shown.
    name: String,
    path: Option<PathBuf>,
    identity: Option<Identity>,
    /// Whether a log before it is the same.
    is_same: bool,
    size: u64,
}

/// What makes two names the same file.
type Identity = (u64, u64);

#[cfg(unix)]
fn identity(metadata: &Metadata, _: &Path) -> Identity {
    use std::os::unix::fs::MetadataExt;
    (metadata.dev(), metadata.ino())
}

#[cfg(not(unix))]
fn identity(_: &Metadata, path: &Path) -> Identity {
    use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    (0, BuildHasherDefault::<DefaultHasher>::default().hash_one(path))
}

impl Input {
    fn find(path: &Path) -> Result<Self, String> {
        if path.as_os_str() == "-" {
            // Whatever standard input is, a file of that name may be the same.
            let metadata = Path::new("/dev/stdin").metadata().ok().filter(Metadata::is_file);
            return Ok(Self {
                name: "standard input".to_owned(),
                path: None,
                identity: metadata.as_ref().map(|metadata| identity(metadata, path)),
                is_same: false,
                size: metadata.map_or(0, |metadata| metadata.len()),
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
        let identity = Some(identity(&metadata, path));
        Ok(Self { name, path: Some(path.to_owned()), identity, is_same: false, size: metadata.len() })
    }
}

/// What is to be noted about a log, and its details.
type Note = (Skipped, String);

/// All logs, block by block.
pub(crate) struct Source {
    files: Vec<Input>,
    next: usize,
    opened: HashSet<Identity>,
    reader: Option<Box<dyn Read + Send>>,
    /// What is read, and how long it was when it was opened.
    file: Option<(Arc<File>, u64)>,
    /// What was read but not given out.
    tail: Vec<u8>,
    notes: VecDeque<Note>,
    pub(crate) bar: ProgressBar,
}

impl Source {
    /// The logs of these names, each of which has to be there before the first is read.
    pub(crate) fn find(paths: &[PathBuf]) -> Result<Self, String> {
        let mut known = HashSet::new();
        let mut files: Vec<_> = paths.iter().map(|path| Input::find(path)).collect::<Result<_, _>>()?;
        for file in &mut files {
            file.is_same = file.identity.is_some_and(|identity| !known.insert(identity));
        }
        Ok(Self {
            bar: progress(files.iter().filter(|file| !file.is_same).map(|file| file.size).sum()),
            files,
            next: 0,
            opened: HashSet::new(),
            reader: None,
            file: None,
            tail: Vec::new(),
            notes: VecDeque::new(),
        })
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.files.iter().map(|file| file.name.clone()).collect()
    }

    /// Fills the next block, in the order of the files and of their lines, or gives back what is to be noted; and of
    /// which file that is.
    pub(crate) fn next(&mut self, block: &mut Block) -> Option<(usize, Result<(), Note>)> {
        loop {
            if let Some(note) = self.notes.pop_front() {
                return Some((self.next - 1, Err(note)));
            }
            let Some(mut reader) = self.reader.take() else {
                self.files.get(self.next)?;
                self.next += 1;
                match self.open() {
                    Ok(reader) => self.reader = Some(reader),
                    Err(error) => self.notes.push_back((Skipped::ReadError, error.to_string())),
                }
                continue;
            };
            match self.fill(block, &mut *reader) {
                Ok(true) => self.reader = Some(reader),
                Ok(false) => self.notes.extend(self.is_cut().then(|| (Skipped::Cut, String::new()))),
                // What came before an error counts.
                Err(error) => self.notes.push_back((Skipped::ReadError, error.to_string())),
            }
            if block.length > 0 {
                return Some((self.next - 1, Ok(())));
            }
        }
    }

    /// Opens the next log, unless it has become one that was opened before.
    fn open(&mut self) -> io::Result<Box<dyn Read + Send>> {
        let input = &self.files[self.next - 1];
        self.file = None;
        if input.is_same {
            self.notes.push_back((Skipped::SameFile, String::new()));
            return Ok(Box::new(io::empty()));
        }
        let Some(path) = &input.path else {
            return unpacked(Box::new(self.bar.wrap_read(io::stdin())));
        };
        let file = Arc::new(File::open(path)?);
        let metadata = file.metadata()?;
        let identity = identity(&metadata, path);
        let is_new = self.opened.insert(identity);
        if input.identity != Some(identity) {
            self.notes.push_back((Skipped::Replaced, String::new()));
            if !is_new {
                return Ok(Box::new(io::empty()));
            }
        }
        self.file = metadata.is_file().then(|| (Arc::clone(&file), metadata.len()));
        unpacked(Box::new(self.bar.wrap_read(file)))
    }

    /// Whether a log ended before where it ended when it was opened.
    fn is_cut(&self) -> bool {
        let place = |file: &File| { file }.stream_position();
        self.file.as_ref().is_some_and(|(file, length)| place(file).is_ok_and(|place| place < *length))
    }

    /// Fills a block, and whether its log goes on.
    fn fill(&mut self, block: &mut Block, reader: &mut dyn Read) -> io::Result<bool> {
        block.length = 0;
        let tail = std::mem::take(&mut self.tail);
        block.read_up_to(tail.len(), &mut &tail[..])?;
        // A line that is longer than a block gets what it needs, up to the longest.
        for length in [BLOCK, LONGEST] {
            if !block.read_up_to(length, reader)? {
                return Ok(false);
            }
            let end = record_end(block.bytes());
            if end > 0 {
                self.tail = block.split_off(end);
                return Ok(true);
            }
        }
        self.notes.push_back((Skipped::TooLong, String::new()));
        loop {
            block.length = 0;
            let more = block.read_up_to(LONGEST, reader).inspect_err(|_| block.length = 0)?;
            let end = memchr(b'\n', block.bytes());
            if let Some(end) = end {
                self.tail = block.split_off(end + 1);
            }
            block.length = 0;
            // At the end of the log, the next call gives out the tail and finds nothing more.
            if end.is_some() || !more {
                return Ok(end.is_some());
            }
        }
    }
}

/// A part of a log that ends where a record ends.
#[derive(Default)]
pub(crate) struct Block {
    buffer: Vec<u8>,
    length: usize,
}

impl Block {
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.buffer[..self.length]
    }

    /// Reads until there is so much in the block or the log ends, and whether it goes on.
    fn read_up_to(&mut self, length: usize, reader: &mut dyn Read) -> io::Result<bool> {
        // It is set to zeros once.
        self.buffer.resize(self.buffer.len().max(length), 0);
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

    fn split_off(&mut self, at: usize) -> Vec<u8> {
        let rest = self.bytes()[at..].to_vec();
        self.length = at;
        rest
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
fn progress(size: u64) -> ProgressBar {
    if size < SHOW_PROGRESS_FROM {
        return ProgressBar::hidden();
    }
    let style =
        ProgressStyle::with_template("{bar:40} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left");
    ProgressBar::new(size).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
