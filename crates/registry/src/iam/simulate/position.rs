//! Where the statements of a document stand in its text.

use longshore_policy::{Span, statement_spans};
use serde::Serialize;

/// A line and a column, both counted from 1. The column is that behind the character, as IAM tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Position {
    line: usize,
    column: usize,
}

/// Returns where each statement of `document` begins and ends; nothing for a text that is no policy.
pub(super) fn of_statements(document: &str) -> Vec<(Position, Position)> {
    let spans = statement_spans(document).unwrap_or_default();
    let place = |Span { start, end }| {
        // An end is behind its character already.
        let (line, column) = (start.line, start.column + 1);
        let start = Position { line, column };
        let (line, column) = (end.line, end.column);
        (start, Position { line, column })
    };
    spans.into_iter().map(place).collect()
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
