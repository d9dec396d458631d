//! Where the statements stand in a document's text, for simulators.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::error::InvalidPolicy;

/// From the first character of a statement to the one after its last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Where the statement's `{` is.
    pub start: Position,
    /// What follows its `}`.
    pub end: Position,
}

/// A place in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The line, from 1.
    pub line: usize,
    /// The character of the line, from 1.
    pub column: usize,
}

#[derive(Deserialize)]
struct Document<'t> {
    #[serde(borrow, rename = "Statement")]
    statements: &'t RawValue,
}

/// Returns where each statement of a document stands, in their order.
pub fn statement_spans(text: &str) -> Result<Vec<Span>, InvalidPolicy> {
    let document: Document<'_> = serde_json::from_str(text).map_err(|_| InvalidPolicy::Syntax)?;
    let whole = document.statements.get();
    let statements: Vec<&RawValue> = match serde_json::from_str(whole) {
        Ok(list) => list,
        Err(_) => vec![document.statements],
    };
    let mut cursor = Cursor::new(text);
    let mut spans = Vec::with_capacity(statements.len());
    for statement in statements {
        let statement = statement.get();
        // A raw value is a slice of the text that it was read from.
        let start = statement.as_ptr().addr().wrapping_sub(text.as_ptr().addr());
        let end = start.saturating_add(statement.len());
        spans.push(Span {
            start: cursor.advance(start),
            end: cursor.advance(end),
        });
    }
    Ok(spans)
}

/// A place that moves forward through a text, so that finding all statements reads the text once.
struct Cursor<'t> {
    rest: &'t str,
    offset: usize,
    position: Position,
}

impl<'t> Cursor<'t> {
    fn new(text: &'t str) -> Self {
        Self {
            rest: text,
            offset: 0,
            position: Position { line: 1, column: 1 },
        }
    }

    /// Moves to the byte `offset`, or to the text's end.
    fn advance(&mut self, offset: usize) -> Position {
        let mut chars = self.rest.chars();
        while self.offset < offset
            && let Some(char) = chars.next()
        {
            self.offset += char.len_utf8();
            self.position.column += 1;
            if char == '\n' {
                self.position = Position {
                    line: self.position.line + 1,
                    column: 1,
                };
            }
        }
        self.rest = chars.as_str();
        self.position
    }
}
