use super::*;

const POLICY: &str = r#"policy: p
rules:
  - name: a
    when: labels["x"] == "y" || tenant.region in ["eu", "us"]
    require:
      location.countries: { in: EEA }
      data.retention: { equals: 0d }
      data.trains: { equals: false }
  - name: b
    forbid: { price.input: { equals: 2 }, operator.name: { equals: self }, model.tier: { at_least: mid } }
  - { name: c, require: { data.retention: { equals: 0d } } }
objective: { minimise: cost }
"#;

fn mutants() -> Vec<Mutant> {
    of(Path::new("p.yaml"), POLICY).unwrap()
}

fn rules(mutant: &Mutant) -> Vec<Json> {
    let whole: Json = serde_json::from_str(&mutant.text).unwrap();
    whole["rules"].as_array().unwrap().clone()
}

#[test]
fn each_rule_is_deleted_and_each_operator_turned_round() {
    let said: Vec<String> = mutants()
        .iter()
        .map(|mutant| format!("{} {}:{} {}", mutant.rule, mutant.line, mutant.column, mutant.change))
        .collect();
    assert_eq!(
        said,
        [
            "a 3:5 the rule was deleted",
            "a 5:5 `require` became `forbid`",
            "a 6:29 `in` became `not_in` of location.countries",
            "a 7:25 `equals` was negated of data.retention",
            "a 8:22 `equals: false` was negated of data.trains",
            "a 4:23 `==` became `!=` in `when`",
            "a 4:30 `||` became `&&` in `when`",
            "a 4:47 `in` was negated in `when`",
            "b 9:5 the rule was deleted",
            "b 10:5 `forbid` became `require`",
            "b 10:30 `equals` was negated of price.input",
            "b 10:60 `equals` was negated of operator.name",
            "b 10:90 `at_least` became `at_most` of model.tier",
            "c 11:5 the rule was deleted",
            "c 11:16 `require` became `forbid`",
        ],
        "c's only condition negated is c forbidden"
    );
}

#[test]
fn a_mutant_differs_from_its_policy_in_one_rule() {
    let whole = Source::new(Path::new("p.yaml"), POLICY).parse().map(|tree| as_json(&tree)).unwrap();
    let original = whole["rules"].as_array().unwrap();
    for mutant in mutants() {
        let changed = rules(&mutant);
        let kept = original.iter().filter(|rule| changed.contains(rule)).count();
        assert_eq!(kept, original.len() - 1, "{mutant:?}");
        let objective: Json = serde_json::from_str(&mutant.text).unwrap();
        assert_eq!(objective["objective"], whole["objective"]);
    }
}

#[test]
fn a_negated_number_is_every_other_number() {
    let of_change = |change: &str| mutants().into_iter().find(|mutant| mutant.change == change).unwrap();
    let required = rules(&of_change("`equals` was negated of data.retention"));
    assert_eq!(required.len(), 4, "one rule became two");
    assert!(required[0]["require"].get("data.retention").is_none() && required[0]["name"] == "a");
    assert_eq!(required[1]["forbid"], json!({ "data.retention": { "equals": "0d" } }));
    let forbidden = rules(&of_change("`equals` was negated of price.input"));
    let (above, below) = (&forbidden[1]["forbid"]["price.input"], &forbidden[2]["forbid"]["price.input"]);
    assert!(above["at_least"].as_f64() > Some(2.0) && below["at_most"].as_f64() < Some(2.0), "{above} {below}");
    assert_eq!(forbidden[1]["forbid"]["operator.name"], forbidden[2]["forbid"]["operator.name"]);
}
