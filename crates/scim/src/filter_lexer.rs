//! Splits filter text into words, text literals and brackets, each with its position.

use crate::filter::FilterError;

/// One token and the byte offset at which it begins.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Token<'a> {
    pub(crate) kind: TokenKind<'a>,
    pub(crate) position: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum TokenKind<'a> {
    /// A path, keyword, operator, number or the `.sub` after a bracket.
    Word(&'a str),
    /// A text literal, unescaped.
    Text(String),
    Open,
    Close,
    OpenBracket,
    CloseBracket,
    End,
}

impl TokenKind<'_> {
    /// How a message names what was found.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Word(word) => format!("{:?}", shorten(word)),
            Self::Text(text) => format!("the text {:?}", shorten(text)),
            Self::Open => "\"(\"".to_owned(),
            Self::Close => "\")\"".to_owned(),
            Self::OpenBracket => "\"[\"".to_owned(),
            Self::CloseBracket => "\"]\"".to_owned(),
            Self::End => "the end".to_owned(),
        }
    }
}

/// All tokens, the last of which is [`TokenKind::End`]. The caller has capped the length of `text`.
pub(crate) fn tokens(text: &str) -> Result<Vec<Token<'_>>, FilterError> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut position = 0;
    while let Some(&byte) = bytes.get(position) {
        let (kind, end) = match byte {
            b' ' | b'\t' | b'\r' | b'\n' => {
                position += 1;
                continue;
            }
            b'(' => (TokenKind::Open, position + 1),
            b')' => (TokenKind::Close, position + 1),
            b'[' => (TokenKind::OpenBracket, position + 1),
            b']' => (TokenKind::CloseBracket, position + 1),
            b'"' => text_literal(text, position)?,
            _ => {
                let end = word_end(bytes, position);
                (TokenKind::Word(&text[position..end]), end)
            }
        };
        found.push(Token { kind, position });
        position = end;
    }
    found.push(Token { kind: TokenKind::End, position });
    Ok(found)
}

/// A word ends before ASCII only, so the end is always a character boundary.
fn word_end(bytes: &[u8], start: usize) -> usize {
    let ends = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b'(' | b')' | b'[' | b']' | b'"');
    bytes[start..].iter().position(ends).map_or(bytes.len(), |length| start + length)
}

fn text_literal(text: &str, start: usize) -> Result<(TokenKind<'_>, usize), FilterError> {
    let bytes = text.as_bytes();
    let mut position = start + 1;
    loop {
        match bytes.get(position) {
            None => return Err(error(start, "the text that begins here has no closing quote")),
            Some(b'"') => break,
            Some(b'\\') => position += 2,
            Some(_) => position += 1,
        }
    }
    let end = position + 1;
    let unescaped: String = serde_json::from_str(&text[start..end]).map_err(|_| {
        error(start, "the text that begins here has an invalid JSON escape or a control character")
    })?;
    if unescaped.contains('\0') {
        return Err(error(start, "the text that begins here contains a NUL character"));
    }
    Ok((TokenKind::Text(unescaped), end))
}

pub(crate) fn error(position: usize, message: impl Into<String>) -> FilterError {
    FilterError { position, message: message.into() }
}

/// The part of a text that a message quotes: hostile input must not come back as a long message.
pub(crate) fn shorten(text: &str) -> String {
    if text.chars().count() <= 40 { text.to_owned() } else { text.chars().take(40).chain(['…']).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<(TokenKind<'_>, usize)> {
        tokens(text).unwrap().into_iter().map(|token| (token.kind, token.position)).collect()
    }

    #[test]
    fn words_brackets_and_positions() {
        use TokenKind::{Close, CloseBracket, End, Open, OpenBracket, Word};
        assert_eq!(
            kinds("not(a[b]).c "),
            [
                (Word("not"), 0),
                (Open, 3),
                (Word("a"), 4),
                (OpenBracket, 5),
                (Word("b"), 6),
                (CloseBracket, 7),
                (Close, 8),
                (Word(".c"), 9),
                (End, 12),
            ]
        );
        assert_eq!(kinds("urn:x:2.0:User:a")[0].0, Word("urn:x:2.0:User:a"));
    }

    #[test]
    fn text_literals_are_json() {
        assert_eq!(kinds(r#""a\"b)\\" x"#)[0].0, TokenKind::Text("a\"b)\\".to_owned()));
        assert_eq!(kinds(r#""\u00e9é😀""#)[0].0, TokenKind::Text("éé😀".to_owned()));
        for bad in
            [r#""open"#, r#""trailing\"#, r#""\x""#, "\"\n\"", r#""\ud800""#, r#""\u0000""#, "a \"", "\"\\é"]
        {
            assert!(tokens(bad).is_err(), "{bad}");
        }
    }
}
