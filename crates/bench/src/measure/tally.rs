//! Counting operations and their latencies.

use std::time::Duration;

/// What a set of operations came to.
#[derive(Debug, Default, Clone)]
pub struct Tally {
    /// Operations that succeeded.
    pub operations: u64,
    /// Body bytes that they moved.
    pub bytes: u64,
    /// Operations that failed.
    pub errors: u64,
    /// The first failure, in words.
    pub first_error: Option<String>,
    /// The latency of each success, in microseconds.
    pub latencies: Vec<u32>,
    /// Wall time from the first operation's start to the last one's end.
    pub elapsed: Duration,
    /// Named figures of this workload alone.
    pub figures: Vec<(&'static str, f64)>,
}

impl Tally {
    /// Counts one success.
    pub fn success(&mut self, bytes: u64, latency: Duration) {
        self.operations += 1;
        self.bytes += bytes;
        self.latencies
            .push(u32::try_from(latency.as_micros()).unwrap_or(u32::MAX));
    }

    /// Counts one failure.
    pub fn failure(&mut self, error: &anyhow::Error) {
        self.errors += 1;
        self.first_error.get_or_insert_with(|| format!("{error:#}"));
    }

    /// Adds what another lane counted; wall times are not added.
    pub fn absorb(&mut self, other: Self) {
        self.operations += other.operations;
        self.bytes += other.bytes;
        self.errors += other.errors;
        self.first_error = self.first_error.take().or(other.first_error);
        self.latencies.extend(other.latencies);
    }
}

/// Returns the `q` quantile of sorted values, 0 of none.
pub fn quantile(sorted: &[u32], q: f64) -> u32 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an index into a slice, rounded up on purpose"
    )]
    let rank = (float(sorted.len() as u64) * q).ceil() as usize;
    sorted
        .get(rank.clamp(1, sorted.len().max(1)) - 1)
        .copied()
        .unwrap_or_default()
}

/// Returns the median of `values`, 0 of none.
pub fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => 0.0,
        count if count % 2 == 1 => values[middle],
        _ => f64::midpoint(values[middle - 1], values[middle]),
    }
}

/// Turns microseconds into milliseconds for a report.
pub fn micros(value: u32) -> f64 {
    f64::from(value) / 1000.0
}

/// Turns a count into a float.
#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
pub fn float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_take_the_nearest_rank() {
        let values: Vec<u32> = (1..=100).collect();
        assert_eq!(quantile(&values, 0.5), 50);
        assert_eq!(quantile(&values, 0.99), 99);
        assert_eq!(quantile(&[7], 0.99), 7);
        assert_eq!(quantile(&[], 0.5), 0);
    }

    #[test]
    fn a_median_of_an_even_count_is_between_the_middle_two() {
        assert!((median([3.0, 1.0]) - 2.0).abs() < 1e-9);
        assert!((median([5.0, 1.0, 3.0]) - 3.0).abs() < 1e-9);
    }
}
