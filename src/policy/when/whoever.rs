//! Whether a rule applies whoever asks: for proofs, which cannot try every team and every key there might be.

use super::{Input, Scope, Table, When, place};
use crate::policy::circumstances::Circumstances;
use crate::policy::labels::View;

impl When {
    /// Whether the rule applies whatever the team and the key's id are: `Some(true)` with each, `Some(false)` with none,
    /// `None` where it may hang on them. Judged without the client's word. `at` is the tenant's place in the scope.
    pub(crate) fn whoever(&self, scope: &Scope, of: &Circumstances<'_>, at: Option<usize>) -> Option<bool> {
        match self {
            Self::Always => Some(true),
            Self::Table(table) => table.whoever(of, at),
            Self::Run(expression) => {
                let open = expression.inputs.iter().any(|input| is_open(*input));
                (!open).then(|| expression.applies(scope, of, View::Bare))
            }
        }
    }

    /// Whether the rule looks at what is asked by its path.
    pub(crate) fn looks_at(&self, input: Input) -> bool {
        match self {
            Self::Always => false,
            Self::Table(Table { expression, .. }) | Self::Run(expression) => expression.inputs.contains(&input),
        }
    }

    /// The labels that the rule looks at, by their places.
    pub(crate) fn labels(&self) -> impl Iterator<Item = usize> + '_ {
        let inputs = match self {
            Self::Always => None,
            Self::Table(Table { expression, .. }) | Self::Run(expression) => Some(&expression.inputs),
        };
        inputs.into_iter().flatten().filter_map(|input| match input {
            Input::Label(place) => Some(*place),
            _ => None,
        })
    }
}

/// What has no end of values and is not its client's to choose. What a client chooses can only switch a rule on.
const fn is_open(input: Input) -> bool {
    matches!(input, Input::TenantTeam | Input::KeyId)
}

impl Table {
    fn whoever(&self, of: &Circumstances<'_>, tenant: Option<usize>) -> Option<bool> {
        let (mut index, mut stride) = (0, 1);
        for &(input, values) in &self.axes {
            index += stride * place(input, of, View::Bare);
            stride *= values;
        }
        let mut open = Vec::new();
        for atom in &self.atoms {
            if is_open(atom.input) {
                open.push(stride);
            } else {
                index += stride * usize::from(atom.holds(of));
            }
            stride *= 2;
        }
        if self.by_tenant {
            index += tenant? * self.per_tenant;
        }
        // Each comparison with a team or a key counts as holding and as not holding.
        let mut answer = None;
        for held in 0..1_usize << open.len() {
            let chosen = open.iter().enumerate().filter(|(bit, _)| held & (1 << bit) != 0);
            let one = self.get(index + chosen.map(|(_, stride)| stride).sum::<usize>())?;
            if answer.is_some_and(|known| known != one) {
                return None;
            }
            answer = Some(one);
        }
        answer
    }
}
