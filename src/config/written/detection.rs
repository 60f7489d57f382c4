//! What is looked for in the text of requests.

use schemars::{JsonSchema, Schema, json_schema};
use serde::Deserialize;

use crate::config::running::{DetectionMode, Detector};
use crate::config::values::{At, List, SCALAR};

/// What is looked for in the text of requests, and what a find does.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct Detection {
    /// The ordered label that finds raise. Default: data-class.
    pub(in crate::config) label: Option<At<String>>,
    /// How each detector is set. Default: all observe.
    pub(in crate::config) detectors: Detectors,
}

/// How each detector is set: its mode, or a map with more. Left out: observe.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct Detectors {
    /// E-mail addresses.
    pub(in crate::config) email: DetectorSettings,
    /// Telephone numbers: international ones, and national ones where the text says that they are such.
    pub(in crate::config) phone: DetectorSettings,
    /// International bank account numbers (country, length, structure and check digits).
    pub(in crate::config) iban: DetectorSettings,
    /// Payment card numbers (issuer, length and check digit).
    pub(in crate::config) card: DetectorSettings,
    /// Social security numbers of the United States.
    pub(in crate::config) us_ssn: DetectorSettings,
    /// Spanish DNI and NIE (check letter).
    pub(in crate::config) es_dni: DetectorSettings,
    /// French social security numbers, NIR (check digits).
    pub(in crate::config) fr_nir: DetectorSettings,
    /// Italian tax codes, codice fiscale (check letter).
    pub(in crate::config) it_codice_fiscale: DetectorSettings,
    /// German tax identification numbers (check digit).
    pub(in crate::config) de_tax_id: DetectorSettings,
    /// Keys and tokens of well-known services.
    pub(in crate::config) api_key: DetectorSettings,
    /// Private keys in PEM.
    pub(in crate::config) private_key: DetectorSettings,
}

impl Detectors {
    /// The settings of one detector.
    pub(in crate::config) fn of(&self, detector: Detector) -> &DetectorSettings {
        match detector {
            Detector::Email => &self.email,
            Detector::Phone => &self.phone,
            Detector::Iban => &self.iban,
            Detector::Card => &self.card,
            Detector::UsSsn => &self.us_ssn,
            Detector::EsDni => &self.es_dni,
            Detector::FrNir => &self.fr_nir,
            Detector::ItCodiceFiscale => &self.it_codice_fiscale,
            Detector::DeTaxId => &self.de_tax_id,
            Detector::ApiKey => &self.api_key,
            Detector::PrivateKey => &self.private_key,
        }
    }
}

/// How one detector is set; a mode alone is written as its word.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(transform = or_mode)]
pub(in crate::config) struct DetectorSettings {
    #[serde(rename = "$word")]
    pub(in crate::config) word: Option<At<DetectionMode>>,
    /// What a find does. Default: observe.
    pub(in crate::config) mode: Option<At<DetectionMode>>,
    /// Different values that it takes for `enforce` to raise the label. Default: 1.
    pub(in crate::config) min_count: Option<At<u32>>,
    /// Values that are no finds: written out, with `*` for any characters, or a regular expression for the whole value
    /// between slashes, `/…/`.
    pub(in crate::config) except: List<At<String>>,
    /// What `enforce` raises the label to. Default: `secret` for keys, else `personal`.
    pub(in crate::config) value: Option<At<String>>,
}

/// A detector's settings are also written as their mode alone.
fn or_mode(schema: &mut Schema) {
    if let Some(properties) = schema.get_mut("properties").and_then(|properties| properties.as_object_mut()) {
        properties.remove(SCALAR);
    }
    let map = schema.clone();
    *schema = json_schema!({ "anyOf": [{ "enum": ["observe", "enforce", "off"] }, map] });
}
