//! Gzip as rotated logs have it: members one after another, and zeros that a tape or a disk padded them with.

use std::io::{self, BufRead, Read};

use flate2::bufread::GzDecoder;

pub(crate) struct Gunzip<R>(Option<State<R>>);

enum State<R> {
    Member(Box<GzDecoder<R>>),
    Between(R),
}

impl<R: BufRead> Gunzip<R> {
    pub(crate) fn new(reader: R) -> Self {
        Self(Some(State::Between(reader)))
    }
}

impl<R: BufRead> Read for Gunzip<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.0.take() {
                None => return Ok(0),
                Some(State::Member(mut member)) => {
                    let read = member.read(buffer)?;
                    if read > 0 || buffer.is_empty() {
                        self.0 = Some(State::Member(member));
                        return Ok(read);
                    }
                    self.0 = Some(State::Between((*member).into_inner()));
                }
                Some(State::Between(mut reader)) => {
                    let buffered = reader.fill_buf()?;
                    if buffered.is_empty() {
                        return Ok(0);
                    }
                    let zeros = buffered.iter().take_while(|byte| **byte == 0).count();
                    self.0 = Some(if zeros > 0 {
                        reader.consume(zeros);
                        State::Between(reader)
                    } else {
                        State::Member(Box::new(GzDecoder::new(reader)))
                    });
                }
            }
        }
    }
}
