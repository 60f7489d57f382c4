//! What is looked for in the text of requests, and what a find does.

/// A sort of sensitive value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Detector {
    /// E-mail addresses.
    Email,
    /// Telephone numbers.
    Phone,
    /// International bank account numbers.
    Iban,
    /// Payment card numbers.
    Card,
    /// Social security numbers of the United States.
    UsSsn,
    /// Spanish DNI and NIE.
    EsDni,
    /// French numéro de sécurité sociale (NIR).
    FrNir,
    /// Italian codice fiscale.
    ItCodiceFiscale,
    /// German steuerliche Identifikationsnummer.
    DeTaxId,
    /// Keys and tokens of well-known services.
    ApiKey,
    /// Private keys in PEM.
    PrivateKey,
}

impl Detector {
    /// All of them, in the order in which they are told.
    pub const ALL: [Self; 11] = [
        Self::Email,
        Self::Phone,
        Self::Iban,
        Self::Card,
        Self::UsSsn,
        Self::EsDni,
        Self::FrNir,
        Self::ItCodiceFiscale,
        Self::DeTaxId,
        Self::ApiKey,
        Self::PrivateKey,
    ];

    /// The word in the configuration, in decision records and in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Phone => "phone",
            Self::Iban => "iban",
            Self::Card => "card",
            Self::UsSsn => "us_ssn",
            Self::EsDni => "es_dni",
            Self::FrNir => "fr_nir",
            Self::ItCodiceFiscale => "it_codice_fiscale",
            Self::DeTaxId => "de_tax_id",
            Self::ApiKey => "api_key",
            Self::PrivateKey => "private_key",
        }
    }

    /// Who set a label that this detector raised, as decision records say it.
    #[must_use]
    pub const fn source(self) -> &'static str {
        match self {
            Self::Email => "detected:email",
            Self::Phone => "detected:phone",
            Self::Iban => "detected:iban",
            Self::Card => "detected:card",
            Self::UsSsn => "detected:us_ssn",
            Self::EsDni => "detected:es_dni",
            Self::FrNir => "detected:fr_nir",
            Self::ItCodiceFiscale => "detected:it_codice_fiscale",
            Self::DeTaxId => "detected:de_tax_id",
            Self::ApiKey => "detected:api_key",
            Self::PrivateKey => "detected:private_key",
        }
    }

    /// The class of data that such a value is, unless the configuration says otherwise.
    #[must_use]
    pub const fn usual_class(self) -> &'static str {
        match self {
            Self::ApiKey | Self::PrivateKey => "secret",
            _ => "personal",
        }
    }

    /// Whether its values may be written in groups, with marks that mean nothing.
    #[must_use]
    pub const fn is_grouped(self) -> bool {
        !matches!(self, Self::Email | Self::ApiKey | Self::PrivateKey)
    }

    /// The detector of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|detector| detector.as_str() == name)
    }

    /// Its place in [`Detector::ALL`].
    #[must_use]
    pub const fn place(self) -> usize {
        self as usize
    }
}

/// What a find does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DetectionMode {
    /// Finds are counted and recorded; nothing changes.
    Observe,
    /// Finds raise the request's class too.
    Enforce,
    /// Nothing is looked for.
    Off,
}

/// What is looked for, and what a find does.
#[derive(Clone, Debug)]
pub struct Detection {
    /// The ordered label that finds raise.
    pub label: String,
    /// One for each detector, in the order of [`Detector::ALL`].
    pub detectors: Vec<DetectorSettings>,
}

/// How one detector is set.
#[derive(Clone, Debug)]
pub struct DetectorSettings {
    /// Which one.
    pub detector: Detector,
    /// What a find does.
    pub mode: DetectionMode,
    /// Different values that it takes for `enforce` to raise, at least one.
    pub min_count: u32,
    /// Values that are no finds.
    pub except: Vec<Except>,
    /// What the label is raised to; one of its values where the mode is `enforce`.
    pub value: String,
}

/// A value that is no find.
#[derive(Clone, Debug)]
pub enum Except {
    /// Written out, in lower case, and in letters and digits alone where values are grouped; `*` stands for any
    /// characters.
    Like(String),
    /// A regular expression for the whole value.
    Matches(regex::Regex),
}

impl Detection {
    /// Everything is observed and nothing raised.
    #[must_use]
    pub fn observing(label: &str) -> Self {
        let settings = |detector: Detector| DetectorSettings {
            detector,
            mode: DetectionMode::Observe,
            min_count: 1,
            except: Vec::new(),
            value: detector.usual_class().to_owned(),
        };
        Self { label: label.to_owned(), detectors: Detector::ALL.map(settings).into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_detector_has_one_name_and_one_place() {
        for (place, detector) in Detector::ALL.into_iter().enumerate() {
            assert_eq!(detector.place(), place);
            assert_eq!(Detector::named(detector.as_str()), Some(detector));
            assert_eq!(detector.source(), format!("detected:{}", detector.as_str()));
        }
    }
}
