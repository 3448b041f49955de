//! The shape of an expression, checked before it is parsed: length, nesting and the number of operators are capped, so
//! that neither parsing, compiling nor dropping it can overflow a stack.

/// Bytes that the source of an expression may have.
pub const SOURCE_CAP: usize = 4_096;
/// Brackets inside each other.
const NESTING_CAP: usize = 20;
/// Operators, dots, brackets and filters together: each may make the syntax tree one deeper.
const OPERATOR_CAP: usize = 200;
/// Filters in all: each may walk over a list again.
const FILTER_CAP: usize = 32;
/// `if` inside each other or in a row; a switch does better.
const IF_CAP: usize = 10;

/// One part of a source, as far as the shape is concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// A name or keyword.
    Word(&'a str),
    /// The inside of a text, as written.
    Text(&'a str),
    /// Any other character but white space.
    Sign(char),
}

/// Splits a source into its parts, and refuses shapes that no mapping needs.
pub(super) fn check(source: &str) -> Result<Vec<Token<'_>>, String> {
    if source.len() > SOURCE_CAP {
        return Err(format!("the expression has {} bytes; at most {SOURCE_CAP} are allowed", source.len()));
    }
    let tokens = split(source);
    let (mut depth, mut operators, mut filters, mut ifs) = (0_usize, 0, 0, 0);
    for token in &tokens {
        match token {
            Token::Sign('(' | '[' | '{') => {
                (depth, operators) = (depth + 1, operators + 1);
                if depth > NESTING_CAP {
                    return Err(format!(
                        "the expression has more than {NESTING_CAP} brackets inside each other; split it up"
                    ));
                }
            }
            Token::Sign(')' | ']' | '}') => depth = depth.saturating_sub(1),
            Token::Sign('*') => {
                return Err(
                    "the expression uses '*', which mappings do not have: no text is repeated".to_owned()
                );
            }
            Token::Sign('|') => (filters, operators) = (filters + 1, operators + 1),
            Token::Sign('.' | '+' | '-' | '/' | '%' | '~' | '<' | '>' | '=' | '!') => operators += 1,
            Token::Word("if") => (ifs, operators) = (ifs + 1, operators + 1),
            Token::Word("and" | "or" | "not" | "in" | "is" | "else") => operators += 1,
            Token::Word(word) if word.starts_with("__") => {
                return Err(format!("the expression uses '{word}'; no name begins with two underscores"));
            }
            _ => {}
        }
    }
    for (what, found, cap) in
        [("operators", operators, OPERATOR_CAP), ("filters", filters, FILTER_CAP), ("'if's", ifs, IF_CAP)]
    {
        if found > cap {
            return Err(format!(
                "the expression has {found} {what}; at most {cap} are allowed: try switch or join"
            ));
        }
    }
    Ok(tokens)
}

fn split(source: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '\'' | '"' => {
                let inside = text_length(&rest[1..], first);
                tokens.push(Token::Text(&rest[1..1 + inside]));
                (inside + 2).min(rest.len())
            }
            _ if first.is_ascii_alphabetic() || first == '_' => {
                let word = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
                tokens.push(Token::Word(&rest[..word]));
                word
            }
            _ => {
                if !first.is_whitespace() {
                    tokens.push(Token::Sign(first));
                }
                first.len_utf8()
            }
        };
        rest = &rest[length..];
    }
    tokens
}

/// Bytes up to the closing quote, or to the end if there is none.
fn text_length(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return at,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_one_part_whatever_they_hold() {
        let tokens = check(r#"a.b('((\'*|', "x")"#).unwrap();
        let expected = [
            Token::Word("a"),
            Token::Sign('.'),
            Token::Word("b"),
            Token::Sign('('),
            Token::Text(r"((\'*|"),
            Token::Sign(','),
            Token::Text("x"),
            Token::Sign(')'),
        ];
        assert_eq!(tokens, expected);
        assert_eq!(check("'never closed"), Ok(vec![Token::Text("never closed")]));
        assert_eq!(check("é'é'"), Ok(vec![Token::Sign('é'), Token::Text("é")]));
    }

    #[test]
    fn shapes_that_grow_are_refused_by_name() {
        let refused = |source: String| check(&source).unwrap_err();
        assert!(refused("(".repeat(21)).contains("brackets"));
        assert!(refused(format!("1{}", "+1".repeat(201))).contains("operators"));
        assert!(refused(format!("a{}", "|upper".repeat(33))).contains("filters"));
        assert!(refused("1 if a else ".repeat(11)).contains("'if's"));
        assert!(refused("'a' * 9".into()).contains('*'));
        assert!(refused("__run".into()).contains("underscores"));
        assert!(refused("x".repeat(4_097)).contains("bytes"));
    }
}
