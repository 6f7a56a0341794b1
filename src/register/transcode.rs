//! Bytes of a declared encoding as UTF-8, while they are read.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use encoding_rs::{Decoder, Encoding, GB18030, GBK, UTF_8};

use super::sources::TextEncoding;

const CHUNK: usize = 1 << 16;

/// What stands in decoded text for bytes that are no text.
pub(super) const REPLACEMENT: &[u8] = "\u{fffd}".as_bytes();

fn decoder_of(encoding: TextEncoding) -> &'static Encoding {
    match encoding {
        TextEncoding::Utf8 => UTF_8,
        TextEncoding::Gb18030 => GB18030,
        TextEncoding::Gbk => GBK,
    }
}

/// A file read as UTF-8; malformed bytes become U+FFFD.
pub(super) struct Transcoder {
    input: File,
    raw: Vec<u8>,
    decoder: Decoder,
    text: Vec<u8>,
    at: usize,
    ended: bool,
}

impl Transcoder {
    pub(super) fn new(input: File, encoding: TextEncoding) -> Self {
        let decoder = decoder_of(encoding).new_decoder_with_bom_removal();
        Self { input, raw: vec![0; CHUNK], decoder, text: Vec::new(), at: 0, ended: false }
    }

    fn fill(&mut self) -> io::Result<()> {
        let read = self.input.read(&mut self.raw)?;
        self.ended = read == 0;
        let room = self.decoder.max_utf8_buffer_length(read).unwrap_or(CHUNK * 4);
        self.text.resize(room, 0);
        let (_, _, written, _) = self.decoder.decode_to_utf8(&self.raw[..read], &mut self.text, self.ended);
        self.text.truncate(written);
        self.at = 0;
        Ok(())
    }
}

impl Read for Transcoder {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.at == self.text.len() {
            if self.ended {
                return Ok(0);
            }
            self.fill()?;
        }
        let taken = out.len().min(self.text.len() - self.at);
        out[..taken].copy_from_slice(&self.text[self.at..self.at + taken]);
        self.at += taken;
        Ok(taken)
    }
}

/// The encoding that the first bytes of a file betray, where it is not the declared one.
///
/// Bytes that decode without fault can still be of another encoding: UTF-8 text mostly passes as GBK.
pub(super) fn betrayed(path: &Path, declared: TextEncoding) -> io::Result<Option<&'static str>> {
    let mut start = Vec::new();
    File::open(path)?.take(CHUNK as u64).read_to_end(&mut start)?;
    if start.starts_with(&[0xff, 0xfe]) || start.starts_with(&[0xfe, 0xff]) {
        return Ok(Some("utf-16"));
    }
    if declared == TextEncoding::Utf8 {
        return Ok(None);
    }
    if start.starts_with(&[0xef, 0xbb, 0xbf]) {
        return Ok(Some("utf-8"));
    }
    // The last character may be cut off.
    let valid = match std::str::from_utf8(&start) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => std::str::from_utf8(&start[..error.valid_up_to()]).unwrap_or_default(),
        Err(_) => return Ok(None),
    };
    let foreign = valid.chars().filter(|character| !character.is_ascii()).count();
    Ok((foreign >= 8).then_some("utf-8"))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[track_caller]
    fn check(bytes: &[u8], encoding: TextEncoding, expect: &str) {
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        file.write_all(bytes).expect("written");
        let mut text = String::new();
        Transcoder::new(file.reopen().expect("opened"), encoding).read_to_string(&mut text).expect("UTF-8");
        assert_eq!(text, expect);
    }

    #[test]
    fn encodings() {
        check("\u{feff}姓名".as_bytes(), TextEncoding::Utf8, "姓名");
        check(&GBK.encode("姓名,张三").0, TextEncoding::Gbk, "姓名,张三");
        check(&GB18030.encode("𠮷野").0, TextEncoding::Gb18030, "𠮷野");
        check(b"a,\xd0\n", TextEncoding::Utf8, "a,\u{fffd}\n");
        let long = "汉字".repeat(100_000);
        check(&GBK.encode(&long).0, TextEncoding::Gbk, &long);
    }

    #[test]
    fn another_encoding_is_betrayed() {
        let told = |bytes: &[u8], declared| {
            let mut file = tempfile::NamedTempFile::new().expect("a file");
            file.write_all(bytes).expect("written");
            betrayed(file.path(), declared).expect("read")
        };
        assert_eq!(told("姓名,公民身份号码\n".as_bytes(), TextEncoding::Gbk), Some("utf-8"));
        assert_eq!(told(&GBK.encode("姓名,公民身份号码\n").0, TextEncoding::Gbk), None);
        assert_eq!(told(b"\xff\xfea\0", TextEncoding::Utf8), Some("utf-16"));
        assert_eq!(told(b"a,b\n", TextEncoding::Gb18030), None);
    }
}
