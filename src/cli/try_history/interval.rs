//! How sure the sums are: a bootstrap over prompts, made while the log is read.
//!
//! Instead of drawing whole logs with replacement, every prompt enters each resample a Poisson(1) number of times (the
//! online bootstrap of Oza and Russell), so nothing has to be kept but the resamples' sums.

use crate::money::NanoUsd;

/// How many resamples. The limits of a 95 % interval then rest on 25 of them on each side.
pub(super) const RESAMPLES: usize = 1000;

/// Always the same, so that the same log gives the same page.
pub(super) const SEED: u64 = 5;

/// P(Poisson(1) ≤ k) in 65536ths, for k from 0.
const AT_MOST: [u16; 8] = [24_109, 48_219, 60_273, 64_292, 65_296, 65_497, 65_531, 65_535];

/// Sums of every resample.
#[derive(Debug)]
pub(super) struct Bootstrap {
    state: u64,
    sums: Vec<Sums>,
    prompts: u32,
}

#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    prompts: f64,
    paid: f64,
    routed: f64,
}

/// From and to, 95 %.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub(super) struct Interval {
    /// What the same number of prompts would cost, US dollars.
    pub(super) routed_usd: [f64; 2],
    /// 1 − routed / paid.
    pub(super) saving_share: [f64; 2],
}

impl Bootstrap {
    pub(super) fn new() -> Self {
        Self { state: SEED, sums: vec![Sums::default(); RESAMPLES], prompts: 0 }
    }

    /// One prompt, what was paid for it and what it would cost.
    pub(super) fn add(&mut self, paid: NanoUsd, routed: NanoUsd) {
        let (paid, routed) = (paid.as_usd(), routed.as_usd());
        let mut bits = 0;
        for (place, sums) in self.sums.iter_mut().enumerate() {
            if place % 4 == 0 {
                bits = splitmix(&mut self.state);
            }
            #[expect(clippy::cast_possible_truncation, reason = "the lowest 16 bits are meant")]
            let drawn = bits as u16;
            bits >>= 16;
            let mut times = 0.0;
            for at_most in AT_MOST {
                if drawn < at_most {
                    break;
                }
                times += 1.0;
            }
            sums.prompts += times;
            sums.paid += times * paid;
            sums.routed += times * routed;
        }
        self.prompts = self.prompts.saturating_add(1);
    }

    /// `None` with fewer than two prompts, or where nothing was paid.
    pub(super) fn interval(&self) -> Option<Interval> {
        if self.prompts < 2 {
            return None;
        }
        let usable: Vec<&Sums> = self.sums.iter().filter(|sums| sums.prompts > 0.0 && sums.paid > 0.0).collect();
        let routed = usable.iter().map(|sums| sums.routed / sums.prompts * f64::from(self.prompts)).collect();
        let saving = usable.iter().map(|sums| 1.0 - sums.routed / sums.paid).collect();
        Some(Interval { routed_usd: limits(routed)?, saving_share: limits(saving)? })
    }
}

fn limits(mut values: Vec<f64>) -> Option<[f64; 2]> {
    values.sort_by(f64::total_cmp);
    let cut = values.len() / 40;
    let (low, high) = (values.get(cut)?, values.get(values.len().checked_sub(cut + 1)?)?);
    Some([*low, *high])
}

/// Steele, Lea and Flood's generator, here so that a seed means the same for ever.
fn splitmix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_is_that_of_the_mean() {
        let mut bootstrap = Bootstrap::new();
        for prompt in 0..400 {
            // Half of the prompts save everything, half nothing: mean .5, standard error .025.
            let routed = if prompt % 2 == 0 { 0 } else { 1_000_000_000 };
            bootstrap.add(NanoUsd(1_000_000_000), NanoUsd(routed));
        }
        let Interval { routed_usd, saving_share } = bootstrap.interval().unwrap();
        for (limit, expected) in saving_share.into_iter().zip([0.451, 0.549]) {
            assert!((limit - expected).abs() < 0.01, "{saving_share:?}");
        }
        for (limit, expected) in routed_usd.into_iter().zip([180.4, 219.6]) {
            assert!((limit - expected).abs() < 4.0, "{routed_usd:?}");
        }
    }

    #[test]
    fn a_prompt_enters_once_on_average() {
        let mut bootstrap = Bootstrap::new();
        for _ in 0..200 {
            bootstrap.add(NanoUsd(1), NanoUsd(1));
        }
        let mean = bootstrap.sums.iter().map(|sums| sums.prompts).sum::<f64>() / 200.0 / 1000.0;
        assert!((mean - 1.0).abs() < 0.01, "{mean}");
        assert_eq!(Bootstrap::new().interval(), None);
    }
}
