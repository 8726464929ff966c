//! Which traces are exported.

use super::Parent;
use crate::config::TracesSampler;

/// The rule of the settings.
#[derive(Clone, Copy, Debug)]
pub struct Sampler {
    by_parent: bool,
    /// Traces whose last 63 bits but one are below are taken: by the id, so that all who go by the same part take the same ones.
    below: u64,
}

impl Sampler {
    pub fn new(sampler: TracesSampler, ratio: f64) -> Sampler {
        let (by_parent, part) = match sampler {
            TracesSampler::AlwaysOn => (false, 1.0),
            TracesSampler::AlwaysOff => (false, 0.0),
            TracesSampler::TraceIdRatio => (false, ratio),
            TracesSampler::ParentBasedAlwaysOn => (true, 1.0),
            TracesSampler::ParentBasedAlwaysOff => (true, 0.0),
            TracesSampler::ParentBasedTraceIdRatio => (true, ratio),
        };
        Sampler { by_parent, below: (part * (1_u64 << 63) as f64) as u64 }
    }

    pub fn takes(&self, trace: u128, parent: Option<&Parent>) -> bool {
        match parent.filter(|_| self.by_parent) {
            Some(parent) => parent.sampled,
            None => (trace as u64) >> 1 < self.below,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::context::new_trace;
    use super::*;

    #[test]
    fn the_parent_decides_where_it_is_asked() {
        let parent = |sampled| Parent { trace: 1, span: 1, sampled };
        let takes = |sampler, ratio, parent: Option<Parent>| {
            let sampler = Sampler::new(sampler, ratio);
            (0..1000).filter(|_| sampler.takes(new_trace(), parent.as_ref())).count()
        };
        use TracesSampler::*;
        for (sampler, alone, with_yes, with_no) in [
            (AlwaysOn, 1000, 1000, 1000),
            (AlwaysOff, 0, 0, 0),
            (ParentBasedAlwaysOn, 1000, 1000, 0),
            (ParentBasedAlwaysOff, 0, 1000, 0),
        ] {
            let found =
                [None, Some(parent(true)), Some(parent(false))].map(|parent| takes(sampler, 0.5, parent));
            assert_eq!(found, [alone, with_yes, with_no], "{sampler:?}");
        }
        for sampler in [TraceIdRatio, ParentBasedTraceIdRatio] {
            assert!((150..350).contains(&takes(sampler, 0.25, None)), "{sampler:?}");
            assert_eq!((takes(sampler, 0.0, None), takes(sampler, 1.0, None)), (0, 1000));
        }
        assert_eq!(takes(ParentBasedTraceIdRatio, 0.0, Some(parent(true))), 1000);
    }
}
