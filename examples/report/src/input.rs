//! Files, standard input and gzip, line by line, in constant memory.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;
use indicatif::{ProgressBar, ProgressStyle};

/// No log line of an agent is this long; what is, is not read into memory.
const MAX_LINE: u64 = 1 << 20;

/// Shorter work needs no progress bar.
const SHOW_PROGRESS_FROM: u64 = 64 << 20;

pub(crate) struct Input {
    pub(crate) name: String,
    reader: Box<dyn Read>,
    size: u64,
}

/// A line, or what stands for it.
pub(crate) enum Raw<'a> {
    Line(&'a [u8]),
    TooLong,
}

impl Input {
    pub(crate) fn open_all(paths: &[PathBuf]) -> Result<Vec<Self>, String> {
        paths.iter().map(|path| Self::open(path)).collect()
    }

    fn open(path: &Path) -> Result<Self, String> {
        if path == Path::new("-") {
            return Ok(Self {
                name: "standard input".to_owned(),
                reader: Box::new(io::stdin()),
                size: 0,
            });
        }
        let name = path.display().to_string();
        let explain = |error: io::Error| format!("can't read {name}: {error}");
        let file = File::open(path).map_err(explain)?;
        let metadata = file.metadata().map_err(explain)?;
        if metadata.is_dir() {
            return Err(format!("can't read {name}: it is a directory"));
        }
        Ok(Self {
            reader: Box::new(file),
            size: metadata.len(),
            name,
        })
    }

    /// Calls back with each line and its number, from 1.
    pub(crate) fn for_each_line(
        self,
        bar: &ProgressBar,
        mut each: impl FnMut(u64, Raw<'_>),
    ) -> io::Result<()> {
        let mut reader = BufReader::with_capacity(1 << 18, bar.wrap_read(self.reader));
        // Gzip says so in its first two bytes (RFC 1952), whatever the file is called.
        if reader.fill_buf()?.starts_with(&[0x1f, 0x8b]) {
            lines(
                BufReader::with_capacity(1 << 18, MultiGzDecoder::new(reader)),
                &mut each,
            )
        } else {
            lines(reader, &mut each)
        }
    }
}

fn lines(mut reader: impl BufRead, each: &mut impl FnMut(u64, Raw<'_>)) -> io::Result<()> {
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let read = reader.by_ref().take(MAX_LINE).read_until(b'\n', &mut line);
        // What came before an error is a line too, if a cut one.
        match line.strip_suffix(b"\n") {
            Some(complete) => each(number, Raw::Line(complete)),
            None if line.len() as u64 >= MAX_LINE => {
                each(number, Raw::TooLong);
                reader.skip_until(b'\n')?;
            }
            None if line.is_empty() => {
                read?;
                break;
            }
            None => each(number, Raw::Line(&line)),
        }
        read?;
    }
    Ok(())
}

/// A bar on standard error, if that is a terminal and the work is long.
pub(crate) fn progress(inputs: &[Input]) -> ProgressBar {
    let size = inputs.iter().map(|input| input.size).sum();
    if size < SHOW_PROGRESS_FROM {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template(
        "{bar:40} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left",
    );
    ProgressBar::new(size).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
