use std::collections::{BTreeMap, BTreeSet};

use super::resolve::SHOWN;
use super::*;

fn declared() -> Arc<Declared> {
    let words = |list: &[&str]| list.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
    Declared::new(&[
        Label {
            name: "data-class".into(),
            kind: LabelKind::Ordered(words(&["public", "internal", "personal", "secret"])),
            default: Some("internal".into()),
            from: vec![],
        },
        Label {
            name: "purpose".into(),
            kind: LabelKind::Values(words(&["support", "dev", "batch"])),
            default: None,
            from: vec![],
        },
        Label {
            name: "origin".into(),
            kind: LabelKind::Values(words(&["web", "phone"])),
            default: Some("web".into()),
            from: vec![LabelSource::Key],
        },
    ])
}

impl Labels {
    fn seen(&self, name: &str, view: View) -> &str {
        self.declared.position(name).map_or("", |position| self.text(position, view))
    }

    /// The value in force.
    fn with(&self, name: &str) -> &str {
        self.seen(name, View::Whole)
    }

    /// The value that holds without the client's word and what was found.
    fn without(&self, name: &str) -> &str {
        self.seen(name, View::Bare)
    }

    fn is_asked_for(&self) -> bool {
        self.views().count() > 1
    }
}

fn map(entries: &[(&str, &str)]) -> BTreeMap<String, String> {
    entries.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

struct Given {
    floor: BTreeMap<String, String>,
    key: BTreeMap<String, String>,
    claim: BTreeMap<String, String>,
    raised: Vec<Raise<'static>>,
    client: Vec<(String, String)>,
    may_set: BTreeSet<String>,
}

fn given(floor: &[(&str, &str)], key: &[(&str, &str)], claim: &[(&str, &str)], client: &str) -> Given {
    Given {
        floor: map(floor),
        key: map(key),
        claim: map(claim),
        raised: vec![],
        client: parse_header(client).unwrap(),
        may_set: BTreeSet::from(["purpose".into()]),
    }
}

impl Given {
    fn resolve(&self) -> Result<Labels, LabelError> {
        resolve(
            &declared(),
            &LabelSources {
                floor: &self.floor,
                key: &self.key,
                claim: &self.claim,
                raised: &self.raised,
                client: &self.client,
                may_set: MaySet::Named(&self.may_set),
            },
        )
    }
}

#[test]
fn an_ordered_label_takes_the_highest_of_all_sources() {
    let labels = given(
        &[("data-class", "internal")],
        &[("data-class", "personal")],
        &[("data-class", "public")],
        "data-class=internal",
    )
    .resolve()
    .unwrap();
    assert_eq!(labels.with("data-class"), "personal");
    assert_eq!(labels.iter().next().unwrap().by, SetBy::Key);
    assert!(!labels.is_asked_for());

    let labels = given(&[("data-class", "internal")], &[], &[], "data-class=secret").resolve().unwrap();
    assert_eq!((labels.with("data-class"), labels.without("data-class")), ("secret", "internal"));
    assert_eq!(labels.iter().next().unwrap().by, SetBy::Client);
}

#[test]
fn a_client_below_the_default_is_judged_at_both_and_capped_at_the_higher() {
    let labels = given(&[], &[], &[], "data-class=public").resolve().unwrap();
    assert_eq!((labels.with("data-class"), labels.without("data-class")), ("public", "internal"));
    assert!(labels.at_most("data-class", "internal") && !labels.at_most("data-class", "public"));
    assert_eq!(labels.rank("data-class"), Some(1));
    assert!(labels.is_asked_for());
}

#[test]
fn an_absent_label_is_its_default_or_empty() {
    let labels = given(&[], &[], &[], "").resolve().unwrap();
    assert_eq!(labels.with("data-class"), "internal");
    assert_eq!(labels.with("purpose"), "");
    assert_eq!(labels.with("nonesuch"), "");
    assert!(labels.iter().all(|label| label.by == SetBy::Default));
}

#[test]
fn an_undeclared_label_or_value_is_refused_and_the_declared_ones_are_named() {
    let error = given(&[], &[], &[], "colour=red").resolve().unwrap_err();
    assert_eq!(error.to_string(), "label `colour` is not declared; declared are: data-class, purpose, origin");
    assert!(!error.is_permission());
    let error = given(&[], &[], &[], "data-class=Personal").resolve().unwrap_err();
    assert!(error.to_string().contains("public, internal, personal, secret"), "{error}");
    let error = given(&[], &[], &[("purpose", "spying")], "").resolve().unwrap_err();
    assert!(matches!(error, LabelError::Value { .. }), "a token's value is checked too");
}

#[test]
fn an_unordered_label_needs_may_set_and_from() {
    let labels = given(&[], &[("purpose", "dev")], &[], "purpose=batch").resolve().unwrap();
    assert_eq!((labels.with("purpose"), labels.without("purpose")), ("batch", "dev"));

    let mut closed = given(&[], &[], &[], "purpose=batch");
    closed.may_set.clear();
    assert!(closed.resolve().unwrap_err().is_permission());

    let mut only_key = given(&[], &[], &[], "origin=phone");
    only_key.may_set.insert("origin".into());
    assert!(only_key.resolve().unwrap_err().is_permission(), "from names the key alone");
    let labels = given(&[], &[("origin", "phone")], &[], "").resolve().unwrap();
    assert_eq!(labels.with("origin"), "phone");
}

#[test]
fn the_header_is_read_with_spaces_and_refused_when_malformed() {
    assert_eq!(
        parse_header(" data-class = personal , purpose=support,").unwrap(),
        [("data-class".into(), "personal".into()), ("purpose".into(), "support".into())]
    );
    assert!(parse_header("").unwrap().is_empty());
    for bad in ["data-class", "=x", "data-class=", "a=b,c"] {
        assert!(matches!(parse_header(bad), Err(LabelError::Malformed(_))), "{bad}");
    }
    assert!(matches!(parse_header("a=b,a=c"), Err(LabelError::Twice(_))));
    let long = "x".repeat(5000);
    let Err(LabelError::Malformed(shown)) = parse_header(&long) else { panic!() };
    assert!(shown.len() <= SHOWN);
}

fn found(value: &'static str) -> Raise<'static> {
    Raise { name: "data-class", value, by: SetBy::Detected("detected:iban") }
}

#[test]
fn a_find_raises_a_label_neither_client_nor_content_can_take_anything_back() {
    let labels =
        Given { raised: vec![found("personal")], ..given(&[], &[], &[], "data-class=public") }.resolve().unwrap();
    assert_eq!(
        (labels.with("data-class"), labels.without("data-class")),
        ("personal", "internal"),
        "judged with and without"
    );
    let by = labels.iter().find(|label| label.name == "data-class").unwrap().by;
    assert_eq!(by.as_str(), "detected:iban");
    assert!(labels.is_asked_for());
}

#[test]
fn a_find_never_lowers_a_label_not_even_its_default() {
    for (raised, key) in [("public", "internal"), ("internal", "secret"), ("personal", "secret")] {
        let labels =
            Given { raised: vec![found(raised)], ..given(&[], &[("data-class", key)], &[], "") }.resolve().unwrap();
        assert_eq!(labels.without("data-class"), key, "{raised} was found");
    }
    let labels = Given { raised: vec![found("public")], ..given(&[], &[], &[], "") }.resolve().unwrap();
    let label = labels.iter().next().unwrap();
    assert_eq!((label.value, label.by), ("internal", SetBy::Default));
}

#[test]
fn of_several_finds_the_highest_counts_and_the_first_of_equals() {
    let unscanned = Raise { name: "data-class", value: "personal", by: SetBy::Unscanned };
    let secret = Raise { name: "data-class", value: "secret", by: SetBy::Detected("detected:api_key") };
    let resolved = |raised: Vec<Raise<'static>>| Given { raised, ..given(&[], &[], &[], "") }.resolve().unwrap();
    let first = |labels: &Labels| labels.iter().next().unwrap().by;
    assert_eq!(first(&resolved(vec![found("personal"), unscanned])).as_str(), "detected:iban");
    assert_eq!(first(&resolved(vec![unscanned, found("personal")])).as_str(), "unscanned");
    let labels = resolved(vec![found("personal"), secret, unscanned]);
    assert_eq!((labels.with("data-class"), first(&labels).as_str()), ("secret", "detected:api_key"));
}

#[test]
fn what_is_said_and_what_is_found_are_judged_apart_as_well_as_together() {
    let labels = Given { raised: vec![found("personal")], ..given(&[], &[("purpose", "dev")], &[], "purpose=support") };
    let labels = labels.resolve().unwrap();
    let seen: Vec<(&str, &str)> =
        labels.views().map(|view| (labels.seen("data-class", view), labels.seen("purpose", view))).collect();
    let expected = [("internal", "dev"), ("internal", "support"), ("personal", "dev"), ("personal", "support")];
    assert_eq!(seen, expected);
    let plain = given(&[], &[("purpose", "dev")], &[], "").resolve().unwrap();
    assert_eq!(plain.views().collect::<Vec<_>>(), [View::Bare]);
}
