//! What a log is packed in: gzip is read, anything else is named.

use std::io::{self, BufRead, BufReader, Cursor, Read};

use flate2::bufread::GzDecoder;

/// Formats that are not read, by their first bytes, and what reads them.
const OTHERS: [(&[u8], &str); 12] = [
    (b"\x28\xb5\x2f\xfd", "it is compressed: zstdcat FILE"),
    (b"\xfd7zXZ\0", "it is compressed: xzcat FILE"),
    (b"BZh", "it is compressed: bzcat FILE"),
    (b"\x04\x22\x4d\x18", "it is compressed: lz4cat FILE"),
    (b"\x1f\x9d", "it is compressed: zcat FILE"),
    (b"LZIP", "it is compressed: lzip -dc FILE"),
    (b"7z\xbc\xaf\x27\x1c", "it is a 7z archive: 7z x -so FILE"),
    (b"PK\x03\x04", "it is a zip archive: unzip -p FILE"),
    (b"\xff\xfe", "it is UTF-16: iconv -f UTF-16 -t UTF-8 FILE"),
    (b"\xfe\xff", "it is UTF-16: iconv -f UTF-16 -t UTF-8 FILE"),
    (b"LPKSHH", "it is a journal: journalctl -o json --all --file FILE"),
    (b"PAR1", "it is Parquet: duckdb reads it"),
];

/// The longest of these.
const MAGIC: usize = 6;

/// Gzip in gzip is read so often; no log is packed more.
const DEEPEST: usize = 4;

/// What a log is that is not read, by how it starts: text without a mark may be UTF-16, too.
fn other(start: &[u8]) -> Option<String> {
    let advice = OTHERS.iter().find(|(magic, _)| start.starts_with(magic));
    let advice = advice.map(|(_, advice)| *advice);
    let wide = || match start {
        [a, 0, b, 0, ..] if a.min(b) > &0 => Some("it is UTF-16: iconv -f UTF-16LE -t UTF-8 FILE"),
        [0, a, 0, b, ..] if a.min(b) > &0 => Some("it is UTF-16: iconv -f UTF-16BE -t UTF-8 FILE"),
        _ => None,
    };
    let advice = advice.or_else(wide)?;
    Some(if advice.ends_with("FILE") { format!("{advice} | disconnect-report -") } else { advice.to_owned() })
}

/// A log as text, whatever it is packed in.
pub(crate) fn unpacked(mut reader: Box<dyn Read + Send>) -> io::Result<Box<dyn Read + Send>> {
    for _ in 0..DEEPEST {
        // A pipe may give less at once.
        let mut start = Vec::new();
        reader.by_ref().take(MAGIC as u64).read_to_end(&mut start)?;
        if let Some(advice) = other(&start) {
            return Err(io::Error::other(advice));
        }
        // Gzip shows in its first two bytes (RFC 1952), whatever the file is called.
        let is_gzip = start.starts_with(&[0x1f, 0x8b]);
        reader = Box::new(Cursor::new(start).chain(reader));
        if !is_gzip {
            return Ok(reader);
        }
        let reader_of_gzip = BufReader::with_capacity(1 << 16, reader);
        reader = Box::new(Gunzip(Some(GzDecoder::new(reader_of_gzip))));
    }
    Err(io::Error::other("it is gzip in gzip in gzip in gzip"))
}

/// Gzip as rotated logs have it: members one after another, and zeros that a tape or a disk padded them with.
struct Gunzip<R>(Option<GzDecoder<R>>);

impl<R: BufRead> Read for Gunzip<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(mut member) = self.0.take() {
            let read = member.read(buffer)?;
            if read > 0 || buffer.is_empty() {
                self.0 = Some(member);
                return Ok(read);
            }
            let mut rest = member.into_inner();
            while rest.fill_buf()?.first() == Some(&0) {
                rest.consume(1);
            }
            self.0 = (!rest.fill_buf()?.is_empty()).then(|| GzDecoder::new(rest));
        }
        Ok(0)
    }
}
