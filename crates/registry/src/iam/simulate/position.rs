//! Where the statements of a document stand in its text.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// A line and a column, both counted from 1. The column is that behind the character, as IAM tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Position {
    line: usize,
    column: usize,
}

#[derive(Deserialize)]
struct Document<'a> {
    #[serde(rename = "Statement", borrow)]
    statement: &'a RawValue,
}

/// Returns where each statement of `document` begins and ends; nothing for a text that is no policy.
pub(super) fn of_statements(document: &str) -> Vec<(Position, Position)> {
    let Ok(Document { statement }) = serde_json::from_str(document) else {
        return Vec::new();
    };
    let list: Vec<&RawValue> =
        serde_json::from_str(statement.get()).unwrap_or_else(|_| vec![statement]);
    let mut cursor = Cursor::at_start_of(document);
    let mut place = |value: &&RawValue| {
        // The value is a part of the document, so that the distance of their addresses is its offset.
        let start = value.get().as_ptr().addr() - document.as_ptr().addr();
        let end = start + value.get().len() - 1;
        (cursor.go_to(start), cursor.go_to(end))
    };
    list.iter().map(&mut place).collect()
}

/// Counts lines and columns from one place of a text to a later one.
struct Cursor<'a> {
    text: &'a str,
    offset: usize,
    line: usize,
    column: usize,
}

impl<'a> Cursor<'a> {
    fn at_start_of(text: &'a str) -> Self {
        Self {
            text,
            offset: 0,
            line: 1,
            column: 2,
        }
    }

    fn go_to(&mut self, offset: usize) -> Position {
        for letter in self
            .text
            .get(self.offset..offset)
            .unwrap_or_default()
            .chars()
        {
            if letter == '\n' {
                self.line += 1;
                self.column = 2;
            } else {
                self.column += 1;
            }
        }
        self.offset = offset;
        Position {
            line: self.line,
            column: self.column,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(line: usize, column: usize) -> Position {
        Position { line, column }
    }

    /// The example of `simulate-custom-policy` in AWS's command line reference.
    #[test]
    fn positions_are_those_of_awss_example() {
        let document = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"dynamodb:*","Resource":"*","Condition":{"DateGreaterThan":{"aws:CurrentTime":"2015-08-16T12:00:00Z"}}}}"#;
        assert_eq!(of_statements(document), [(at(1, 38), at(1, 167))]);
    }

    #[test]
    fn each_statement_of_a_list_has_its_lines() {
        let document = "{\n  \"Statement\": [\n    {\"a\": \"é}\"},\n    {\n    }]}";
        assert_eq!(
            of_statements(document),
            [(at(3, 6), at(3, 16)), (at(4, 6), at(5, 6))]
        );
        assert_eq!(of_statements("{"), []);
    }
}
