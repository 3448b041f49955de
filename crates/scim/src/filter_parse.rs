//! Recursive descent over filter tokens; depth, terms and length are capped while reading.

use serde_json::Number;

use crate::filter::{CompareOp, Filter, FilterError, Literal, MAX_DEPTH, MAX_LENGTH, MAX_TERMS};
use crate::filter_lexer::{Token, TokenKind, error, shorten, tokens};
use crate::path::{AttrPath, split};

/// Reads a whole filter.
pub(crate) fn parse_filter(text: &str) -> Result<Filter, FilterError> {
    let mut parser = Parser::new(text)?;
    let filter = parser.any_of()?;
    parser.end()?;
    // The canonical text can be longer than the source (1e15, `not(`): it must be readable again too.
    if text.len() > MAX_LENGTH / 2 && filter.to_string().len() > MAX_LENGTH {
        return Err(too_long());
    }
    Ok(filter)
}

/// Reads a PATCH path: `attr`, `attr.sub`, `attr[filter]`, `attr[filter].sub`, qualified or not.
pub(crate) fn parse_value_path(
    text: &str,
) -> Result<(AttrPath, Option<Filter>, Option<String>), FilterError> {
    let mut parser = Parser::new(text)?;
    let mut path = parser.path()?;
    if !matches!(parser.peek(), TokenKind::OpenBracket) {
        parser.end()?;
        let sub = path.sub.take();
        return Ok((path, None, sub));
    }
    let filter = parser.brackets(&path)?;
    let sub = parser.sub_after_bracket()?;
    parser.end()?;
    if text.len() > MAX_LENGTH / 2
        && format!("{path}[{filter}].{}", sub.as_deref().unwrap_or("")).len() > MAX_LENGTH
    {
        return Err(too_long());
    }
    Ok((path, Some(filter), sub))
}

struct Parser<'a> {
    tokens: Vec<Token<'a>>,
    next: usize,
    depth: usize,
    terms: usize,
    in_brackets: bool,
}

impl<'a> Parser<'a> {
    fn new(text: &'a str) -> Result<Self, FilterError> {
        if text.len() > MAX_LENGTH {
            return Err(too_long());
        }
        Ok(Self { tokens: tokens(text)?, next: 0, depth: 0, terms: 0, in_brackets: false })
    }

    /// `term or term or …`; `and` binds tighter.
    fn any_of(&mut self) -> Result<Filter, FilterError> {
        let mut terms = vec![self.all_of()?];
        while self.take_keyword("or") {
            terms.push(self.all_of()?);
        }
        Ok(one_or(terms, Filter::Or))
    }

    fn all_of(&mut self) -> Result<Filter, FilterError> {
        let mut terms = vec![self.term()?];
        while self.take_keyword("and") {
            terms.push(self.term()?);
        }
        Ok(one_or(terms, Filter::And))
    }

    fn term(&mut self) -> Result<Filter, FilterError> {
        match self.peek() {
            TokenKind::Open => self.parentheses(),
            TokenKind::Word(word) if word.eq_ignore_ascii_case("not") && self.followed_by_open() => {
                self.next += 1;
                Ok(Filter::Not(Box::new(self.parentheses()?)))
            }
            TokenKind::Word(_) => self.comparison(),
            _ => Err(self.expected("an attribute, \"not (\" or \"(\"")),
        }
    }

    fn parentheses(&mut self) -> Result<Filter, FilterError> {
        self.enter()?;
        let opened = self.position();
        self.next += 1;
        let filter = self.any_of()?;
        if !matches!(self.peek(), TokenKind::Close) {
            return Err(
                self.expected(&format!("\"and\", \"or\" or the \")\" for the \"(\" at position {opened}"))
            );
        }
        self.next += 1;
        self.depth -= 1;
        Ok(filter)
    }

    /// The brackets of a value path, with the cursor on the opening one.
    fn brackets(&mut self, path: &AttrPath) -> Result<Filter, FilterError> {
        if self.in_brackets {
            return Err(error(self.position(), "brackets inside brackets: elements have no elements"));
        }
        if path.sub.is_some() {
            return Err(error(
                self.position(),
                format!(
                    "{}[…]: brackets follow an attribute, not a sub-attribute",
                    shorten(&path.to_string())
                ),
            ));
        }
        self.enter()?;
        let opened = self.position();
        self.next += 1;
        self.in_brackets = true;
        let filter = self.any_of()?;
        self.in_brackets = false;
        if !matches!(self.peek(), TokenKind::CloseBracket) {
            return Err(
                self.expected(&format!("\"and\", \"or\" or the \"]\" for the \"[\" at position {opened}"))
            );
        }
        self.next += 1;
        self.depth -= 1;
        Ok(filter)
    }

    fn comparison(&mut self) -> Result<Filter, FilterError> {
        let path = self.path()?;
        if !matches!(self.peek(), TokenKind::OpenBracket) {
            return self.operator(path);
        }
        let inner = self.brackets(&path)?;
        let position = self.position();
        let Some(sub) = self.sub_after_bracket()? else {
            return Ok(Filter::ValuePath { path, filter: Box::new(inner) });
        };
        // `a[f].sub op v` asks for one element with both, so it is kept as `a[f and sub op v]`.
        let compared = self.operator(AttrPath::attribute(sub))?;
        let filter = match inner {
            Filter::And(mut terms) => {
                terms.push(compared);
                Filter::And(terms)
            }
            // An `or` needs parentheses in the canonical text, which must stay within the depth cap.
            Filter::Or(_) if self.depth + 2 > MAX_DEPTH => return Err(too_deep(position)),
            other => Filter::And(vec![other, compared]),
        };
        Ok(Filter::ValuePath { path, filter: Box::new(filter) })
    }

    fn operator(&mut self, path: AttrPath) -> Result<Filter, FilterError> {
        if self.terms == MAX_TERMS {
            return Err(error(self.position(), format!("more than {MAX_TERMS} comparisons")));
        }
        self.terms += 1;
        let TokenKind::Word(word) = self.peek() else {
            return Err(self.expected("an operator (eq ne co sw ew gt ge lt le pr)"));
        };
        if word.eq_ignore_ascii_case("pr") {
            self.next += 1;
            return Ok(Filter::Present(path));
        }
        let Some((op, _)) = CompareOp::ALL.into_iter().find(|(_, name)| name.eq_ignore_ascii_case(word))
        else {
            return Err(self.expected("an operator (eq ne co sw ew gt ge lt le pr)"));
        };
        self.next += 1;
        Ok(Filter::Compare { path, op, value: self.literal()? })
    }

    fn literal(&mut self) -> Result<Literal, FilterError> {
        let literal = match self.peek() {
            TokenKind::Text(text) => Some(Literal::String(text.clone())),
            TokenKind::Word(word) => word_literal(word),
            _ => None,
        };
        let literal = literal
            .ok_or_else(|| self.expected("a value (text in quotes, a number, true, false or null)"))?;
        self.next += 1;
        Ok(literal)
    }

    fn path(&mut self) -> Result<AttrPath, FilterError> {
        let TokenKind::Word(word) = self.peek() else { return Err(self.expected("an attribute")) };
        let path = split(word).map_err(|reason| error(self.position(), reason))?;
        self.next += 1;
        Ok(path)
    }

    /// The `.sub` that directly follows a closing bracket.
    fn sub_after_bracket(&mut self) -> Result<Option<String>, FilterError> {
        let position = self.position();
        let adjacent =
            self.next.checked_sub(1).and_then(|index| self.tokens.get(index)).map(|token| token.position + 1);
        let TokenKind::Word(word) = self.peek() else { return Ok(None) };
        let Some(name) = word.strip_prefix('.') else { return Ok(None) };
        if adjacent != Some(position) {
            return Err(error(position, "a space before the sub-attribute"));
        }
        let path = split(name).map_err(|reason| error(position + 1, reason))?;
        if path.urn.is_some() || path.sub.is_some() {
            return Err(error(position + 1, "one sub-attribute name is expected after \"].\""));
        }
        self.next += 1;
        Ok(Some(path.attr))
    }

    fn end(&self) -> Result<(), FilterError> {
        match self.peek() {
            TokenKind::End => Ok(()),
            _ => Err(self.expected("\"and\", \"or\" or the end")),
        }
    }

    fn enter(&mut self) -> Result<(), FilterError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH { Err(too_deep(self.position())) } else { Ok(()) }
    }

    fn take_keyword(&mut self, keyword: &str) -> bool {
        let found = matches!(self.peek(), TokenKind::Word(word) if word.eq_ignore_ascii_case(keyword));
        self.next += usize::from(found);
        found
    }

    fn followed_by_open(&self) -> bool {
        matches!(self.tokens.get(self.next + 1), Some(Token { kind: TokenKind::Open, .. }))
    }

    fn peek(&self) -> &TokenKind<'a> {
        self.tokens.get(self.next).map_or(&TokenKind::End, |token| &token.kind)
    }

    fn position(&self) -> usize {
        self.tokens.get(self.next).or(self.tokens.last()).map_or(0, |token| token.position)
    }

    fn expected(&self, what: &str) -> FilterError {
        error(self.position(), format!("expected {what}, found {}", self.peek().describe()))
    }
}

fn one_or(mut terms: Vec<Filter>, many: fn(Vec<Filter>) -> Filter) -> Filter {
    match terms.pop() {
        Some(only) if terms.is_empty() => only,
        Some(last) => {
            terms.push(last);
            many(terms)
        }
        None => many(terms),
    }
}

fn word_literal(word: &str) -> Option<Literal> {
    match word.to_ascii_lowercase().as_str() {
        "true" => Some(Literal::Bool(true)),
        "false" => Some(Literal::Bool(false)),
        "null" => Some(Literal::Null),
        _ => number(word).map(Literal::Number),
    }
}

/// A JSON number. serde_json checks the grammar, but rounds fractions in the last digit; the standard library does not.
fn number(word: &str) -> Option<Number> {
    let number: Number = serde_json::from_str(word).ok()?;
    if number.is_f64() { word.parse().ok().and_then(Number::from_f64) } else { Some(number) }
}

fn too_long() -> FilterError {
    error(MAX_LENGTH, format!("longer than {MAX_LENGTH} bytes"))
}

fn too_deep(position: usize) -> FilterError {
    error(position, format!("nested deeper than {MAX_DEPTH} levels"))
}
