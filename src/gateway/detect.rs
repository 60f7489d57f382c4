//! What a request holds → what its labels are at least.

use super::Gateway;
use super::decode::aside;
use super::record::Record;
use crate::auth::Principal;
use crate::chat;
use crate::detect::Findings;
use crate::policy::{Raise, SetBy};
use crate::wire::texts;

/// The lowest values that a request's own content sets.
#[derive(Default)]
pub(super) struct Detected<'g> {
    pub(super) raises: Vec<Raise<'g>>,
}

/// Looks through every text that the request would send, once. What cannot be read counts as what its tenant says.
pub(super) fn detect<'g>(
    gateway: &'g Gateway,
    principal: &'g Principal,
    request: &chat::Request,
    record: &mut Record<'_>,
) -> Detected<'g> {
    let detectors = &gateway.detectors;
    let name = detectors.label();
    let mut raises = Vec::new();
    if detectors.on() {
        let mut findings = Findings::default();
        aside(request.body.len(), || {
            texts::each(request, &mut |key, text| detectors.look(text, key, &mut findings));
        });
        for found in detectors.found(&findings) {
            record.detected(&found);
            let by = SetBy::Detected(found.detector.source());
            raises.extend(found.raises_to.map(|value| Raise { name, value, by }));
        }
    }
    if request.unscanned {
        let value = principal.tenant.unscanned_as.as_deref();
        raises.extend(value.map(|value| Raise { name, value, by: SetBy::Unscanned }));
    }
    Detected { raises }
}
