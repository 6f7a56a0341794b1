//! What the bodies of a generation have in common, and how bodies are compressed against it.
//!
//! Of what stands of a subject most is names: of facts, policies, criteria. A body alone compresses badly, for each name is in it
//! once. The dictionary is the body of nobody in whom all names stand; zstd looks for repetitions in it as if it stood before each.

use std::cell::RefCell;
use std::fmt;
use std::io::{self, Read};
use std::sync::Arc;

use sha2::{Digest, Sha256};
use zstd::bulk::{Compressor, Decompressor};

use crate::hex;
use crate::store::StoreError;

/// The first byte of a body that stands alone.
const ALONE: u8 = 1;

/// The first byte of a body that is read with a dictionary; the first bytes of its digest follow.
const SHARED: u8 = 2;

/// Bytes of the dictionary's digest in each body.
const MARK: usize = 4;

/// How hard bodies are compressed: they are written more often than they are kept.
const LEVEL: i32 = 1;

/// Bytes that room is made for at once, whatever a body says.
const LARGEST: usize = 16 << 20;

/// What bodies are compressed against; empty: each stands alone. Nothing of any subject is in it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Dictionary {
    digest: [u8; 32],
    bytes: Arc<[u8]>,
}

/// What compressing and its undoing need: made once a thread and dictionary, for it is dearer to make than to use.
struct Tools {
    digest: [u8; 32],
    press: Compressor<'static>,
    undo: Decompressor<'static>,
}

thread_local! {
    static TOOLS: RefCell<Option<Tools>> = const { RefCell::new(None) };
}

impl fmt::Debug for Dictionary {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "Dictionary({} bytes, {})", self.bytes.len(), hex::digits(self.mark()))
    }
}

impl Dictionary {
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        if bytes.is_empty() { Self::default() } else { Self { digest: Sha256::digest(&bytes).into(), bytes: bytes.into() } }
    }

    fn mark(&self) -> &[u8] {
        &self.digest[..MARK]
    }

    /// A body of plain bytes: the same for the same.
    pub(super) fn compress(&self, plain: &[u8]) -> Result<Vec<u8>, StoreError> {
        let mut body = if self.bytes.is_empty() { vec![ALONE] } else { [&[SHARED], self.mark()].concat() };
        let frame = self.with_tools(|tools| tools.press.compress(plain)).map_err(|error| StoreError::Failed(error.to_string()))?;
        body.extend(frame);
        Ok(body)
    }

    /// The plain bytes of a body. One of another dictionary is of another generation, swapped in since the dictionary was read.
    pub(super) fn uncompress(&self, body: &[u8]) -> Result<Vec<u8>, StoreError> {
        match body.split_first() {
            Some((&ALONE, frame)) if self.bytes.is_empty() => self.unframe(frame),
            Some((&ALONE, frame)) => Self::default().unframe(frame),
            Some((&SHARED, rest)) => {
                let frame = rest.strip_prefix(self.mark()).filter(|_| !self.bytes.is_empty());
                self.unframe(frame.ok_or_else(|| StoreError::Fenced("what stands is of another generation".to_owned()))?)
            }
            _ => Err(StoreError::Damaged("what stands of a subject has a form that this version does not know".to_owned())),
        }
    }

    fn unframe(&self, frame: &[u8]) -> Result<Vec<u8>, StoreError> {
        let damaged = |why: &dyn fmt::Display| StoreError::Damaged(why.to_string());
        let size = zstd::zstd_safe::get_frame_content_size(frame).ok().flatten().and_then(|size| usize::try_from(size).ok());
        let size = size.ok_or_else(|| damaged(&"what stands of a subject does not say how long it is"))?;
        if size > LARGEST {
            let mut plain = Vec::new();
            let read = zstd::Decoder::with_dictionary(frame, &self.bytes).and_then(|mut from| from.read_to_end(&mut plain));
            return read.map(|_| plain).map_err(|error| damaged(&error));
        }
        self.with_tools(|tools| tools.undo.decompress(frame, size)).map_err(|error| damaged(&error))
    }

    fn with_tools<T>(&self, work: impl FnOnce(&mut Tools) -> io::Result<T>) -> io::Result<T> {
        TOOLS.with_borrow_mut(|kept| {
            let tools = match kept {
                Some(tools) if tools.digest == self.digest => tools,
                _ => kept.insert(Tools {
                    digest: self.digest,
                    press: Compressor::with_dictionary(LEVEL, &self.bytes)?,
                    undo: Decompressor::with_dictionary(&self.bytes)?,
                }),
            };
            work(tools)
        })
    }

    /// As a state keeps it.
    pub(crate) fn to_text(&self) -> Result<String, StoreError> {
        let packed = zstd::encode_all(&*self.bytes, LEVEL).map_err(|error| StoreError::Failed(error.to_string()))?;
        Ok(hex::digits(&packed))
    }

    /// Of what [`Self::to_text`] has written; none where it is no such thing.
    pub(crate) fn of_text(text: &str) -> Option<Self> {
        Some(Self::new(zstd::decode_all(hex::bytes(text)?.as_slice()).ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_come_back_and_are_of_their_dictionary() {
        let names: Vec<u8> = (0..40).flat_map(|at| format!("household.income_{at}").into_bytes()).collect();
        let (alone, shared, other) = (Dictionary::default(), Dictionary::new(names.clone()), Dictionary::new(names[1..].to_vec()));
        let large = vec![7; LARGEST + 1];
        for plain in [&b""[..], b"a", &names, &names[3..90], &large] {
            for dictionary in [&alone, &shared, &other, &shared] {
                let body = dictionary.compress(plain).expect("compressed");
                assert_eq!(body, dictionary.compress(plain).expect("compressed"), "the same each time");
                assert!(dictionary.uncompress(&body).expect("ours") == plain, "{} bytes come back", plain.len());
            }
        }
        let body = shared.compress(&names[..200]).expect("compressed");
        assert!(body.len() < 60, "names are in the dictionary: {} bytes", body.len());
        for wrong in [&alone, &other] {
            assert!(matches!(wrong.uncompress(&body), Err(StoreError::Fenced(_))));
        }
        assert!(matches!(shared.uncompress(&[SHARED, 0, 0, 0, 0]), Err(StoreError::Fenced(_))));
        // What was written before there were dictionaries.
        assert_eq!(shared.uncompress(&alone.compress(b"before").expect("compressed")).expect("ours"), b"before");
        for broken in [&b""[..], &[ALONE], &[9, 1], &body[..body.len() - 1], &body[..5]] {
            assert!(matches!(shared.uncompress(broken), Err(StoreError::Damaged(_))), "{broken:?}");
        }
    }

    #[test]
    fn a_state_keeps_them() {
        for dictionary in [Dictionary::default(), Dictionary::new(b"person.age household.income".to_vec())] {
            assert_eq!(Dictionary::of_text(&dictionary.to_text().expect("text")), Some(dictionary));
        }
        assert_eq!((Dictionary::of_text("zz"), Dictionary::of_text("00")), (None, None));
    }
}
