//! How long something took, in classes.

use std::time::Duration;

use super::Counter;

/// The longest time of each class, in microseconds: 0.5 ms to 10 s. What takes longer is in one of its own.
pub const BOUNDS: [u32; 14] = [
    500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
    5_000_000, 10_000_000,
];

/// How long something took, each time.
#[derive(Debug, Default)]
pub struct Histogram {
    classes: [Counter; BOUNDS.len() + 1],
    /// In nanoseconds: they last for 584 years.
    sum: Counter,
}

impl Histogram {
    pub fn note(&self, took: Duration) {
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        let class = BOUNDS.iter().position(|bound| nanos / 1_000 <= u64::from(*bound));
        self.classes[class.unwrap_or(BOUNDS.len())].add_one();
        self.sum.add(nanos);
    }

    /// How many were in each class and those below it; the last one has all.
    pub fn cumulated(&self) -> [u64; BOUNDS.len() + 1] {
        let mut sum = 0;
        self.classes.each_ref().map(|class| {
            sum += class.count();
            sum
        })
    }

    /// How long all of them took.
    pub fn sum(&self) -> Duration {
        Duration::from_nanos(self.sum.count())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_in_its_class_and_all_above() {
        let histogram = Histogram::default();
        for micros in [0, 500, 501, 10_000_000, 10_000_001, 3_600_000_000] {
            histogram.note(Duration::from_micros(micros));
        }
        let cumulated = histogram.cumulated();
        assert_eq!((cumulated[0], cumulated[1], cumulated[12]), (2, 3, 3));
        assert_eq!((cumulated[13], cumulated[14]), (4, 6));
        assert_eq!(histogram.sum(), Duration::from_micros(500 + 501 + 20_000_001 + 3_600_000_000));
    }
}
