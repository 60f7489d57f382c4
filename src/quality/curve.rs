//! One target's curve: how likely it answers a prompt of a given difficulty well.

use serde::{Deserialize, Serialize};

use super::isotonic::Rising;
use super::logistic::{Line, logit};
use super::ridge::Ridge;
use crate::chance::Chance;

/// What fitted outcomes say. The line is always there: it stands in where a prompt has no vector.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Curve {
    /// Platt's line over the logit of one minus the difficulty.
    pub line: Line,
    /// A fit on the score and the prompt's vector together, where cross-validation says that it gains.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ridge: Option<Ridge>,
    /// A rising curve over the line's logit, where cross-validation says that it gains.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub isotonic: Option<Rising>,
}

/// How a curve was fitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// A line in the logit of the score.
    Platt,
    /// The score and the prompt's vector.
    Ridge,
    /// Any rising curve.
    Isotonic,
}

impl Method {
    /// The word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Platt => "platt",
            Self::Ridge => "ridge",
            Self::Isotonic => "isotonic",
        }
    }
}

/// What curves are over: the logit of one minus the difficulty.
#[must_use]
pub fn ease(difficulty: f64) -> f64 {
    logit(1.0 - difficulty)
}

impl Curve {
    /// The chance of a good answer, 0 to 1. A difficulty that is no number counts as the hardest.
    #[must_use]
    pub fn p_good(&self, difficulty: f64, vector: Option<&[f32]>) -> f64 {
        self.chance(ease(difficulty), vector).value()
    }

    /// The same by the prompt's [`ease`], for those who ask many curves about one prompt.
    #[must_use]
    #[inline]
    pub fn chance(&self, ease: f64, vector: Option<&[f32]>) -> Chance {
        if let Some((ridge, vector)) = self.ridge.as_ref().zip(vector)
            && let Some(logit) = ridge.logit(ease, vector)
        {
            return Chance::Logit(logit);
        }
        let along = self.line.logit(ease);
        self.isotonic.as_ref().map_or(Chance::Logit(along), |rising| Chance::Of(rising.value(along)))
    }

    /// How it was fitted.
    #[must_use]
    pub const fn method(&self) -> Method {
        match (&self.ridge, &self.isotonic) {
            (Some(_), _) => Method::Ridge,
            (None, Some(_)) => Method::Isotonic,
            (None, None) => Method::Platt,
        }
    }

    /// Whether every number in it is one that a fit can give.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        let line = self.line.intercept.is_finite() && self.line.slope.is_finite() && self.line.slope >= 0.0;
        let ridge = self.ridge.as_ref().is_none_or(|ridge| {
            ridge.intercept.is_finite()
                && ridge.slope.is_finite()
                && ridge.weights.iter().all(|weight| weight.is_finite())
        });
        line && ridge && self.isotonic.as_ref().is_none_or(Rising::is_sound)
    }
}
