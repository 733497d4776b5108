//! Writes `docs/scenarios.md` from the types' comments and defaults.

use std::fmt::Write;

use schemars::schema_for;
use serde_json::Value;

use super::{Costs, Expectation, Fault, FaultKind, Scenario};

const HEAD: &str = "# Scenario files

<!-- Generated from sim/src/scenario. After a change there: UPDATE_EXPECT=1 cargo test -p pinring-sim scenario -->

Purpose: every key of a scenario file, with its unit and its default.

A scenario is a TOML file: `cargo xtask cosim --scenario sim/scenarios/small.toml`. Every key may be left out, and the
default then holds; an empty file is the workload of `sim/scenarios/default.toml`, without its expectations. Units are in the keys' names
(`_bytes`, `_ns`, `_mhz`, `_hz`, `_percent`); a key without one is a count, a name or a switch. An unknown key or an
impossible value ends the run before it begins, with file, line, key, value and what is allowed.
";

const COST_INTRO: &str = "
A cost is a number, or a table:

```toml
[host.costs]
isr_ns = 800
map_per_page_ns = { value = 142, low = 110, high = 175, source = \"measured on my machine\" }
```

`value` is what the run uses. `low` and `high` give the ranges in the report, and are the value when left out. `source` is
printed in the report. Every time that such a number enters is labelled *modelled* there.
";

const EXPECT_INTRO: &str = "
One table per strategy, as in `[expect.registered]`. A finished run that misses one of these fails, and says which. Nothing is
asked for by default.
";

const FAULT_INTRO: &str = "
One thing that goes wrong, once; as many such tables as there are faults. They need `strategies = [\"registered\"]` and `--driver core`.
The run goes on: the report tells how many faults were injected, how many found no occasion, and how each transfer failed that did.
What the device makes of them: [reliability](reliability.md).

```toml
[[faults]]
kind = \"poisoned\"
transfer = 3
at_byte = 5000
```
";

/// The whole document.
pub(super) fn markdown() -> String {
    let schema = schema_for!(Scenario).to_value();
    let defaults = serde_json::to_value(Scenario::default()).expect("a scenario is JSON");
    let mut out = HEAD.to_string();

    let (tables, plain): (Vec<_>, Vec<_>) = properties(&schema, &schema)
        .into_iter()
        .partition(|(_, property)| resolve(property, &schema)["type"] == "object");
    out += "\n## Top level\n\n";
    key_table(&mut out, &plain, &defaults);
    for (name, property) in tables.iter().filter(|(name, _)| name != "expect") {
        section(&mut out, &schema, name, property, &defaults[name]);
    }
    let costs = properties(&schema_for!(Costs).to_value(), &schema);
    write!(out, "\n## `[host.costs]`\n{COST_INTRO}\n").expect("a string grows");
    cost_table(&mut out, &costs);
    let fault = schema_for!(Fault).to_value();
    let mut defaults = serde_json::to_value(Fault::new(FaultKind::Lost)).expect("JSON");
    defaults["kind"] = Value::Null;
    write!(out, "\n## `[[faults]]`\n{FAULT_INTRO}\n").expect("a string grows");
    key_table(&mut out, &properties(&fault, &fault), &defaults);
    let expectation = schema_for!(Expectation).to_value();
    write!(out, "\n## `[expect.STRATEGY]`\n{EXPECT_INTRO}\n").expect("a string grows");
    out += "| key | meaning |\n|---|---|\n";
    for (key, property) in properties(&expectation, &schema) {
        writeln!(out, "| `{key}` | {} |", description(&property)).expect("a string grows");
    }
    out
}

fn section(out: &mut String, root: &Value, name: &str, property: &Value, defaults: &Value) {
    write!(out, "\n## `[{name}]`\n\n{}\n\n", description(property)).expect("a string grows");
    let keys = properties(resolve(property, root), root);
    let keys: Vec<_> = keys.into_iter().filter(|(key, _)| key != "costs").collect();
    key_table(out, &keys, defaults);
}

fn key_table(out: &mut String, keys: &[(String, Value)], defaults: &Value) {
    *out += "| key | default | meaning |\n|---|---|---|\n";
    for (key, property) in keys {
        let default = match &defaults[key] {
            Value::Null => "none".to_string(),
            value => format!("`{value}`").replace(',', ", "),
        };
        writeln!(out, "| `{key}` | {default} | {} |", description(property))
            .expect("a string grows");
    }
}

fn cost_table(out: &mut String, keys: &[(String, Value)]) {
    *out += "| key | default | range | meaning | source |\n|---|---|---|---|---|\n";
    for ((name, cost), (key, property)) in Costs::default().entries().iter().zip(keys) {
        assert_eq!(name, key, "the schema keeps the order of the fields");
        writeln!(
            out,
            "| `{key}` | `{}` | {} to {} | {} | {} |",
            cost.value,
            cost.low,
            cost.high,
            description(property),
            cost.source
        )
        .expect("a string grows");
    }
}

/// Keys and schemas of an object's properties, in the order of declaration.
fn properties(object: &Value, root: &Value) -> Vec<(String, Value)> {
    let object = resolve(object, root);
    let properties = object["properties"]
        .as_object()
        .expect("an object has properties");
    properties
        .iter()
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

fn resolve<'a>(schema: &'a Value, root: &'a Value) -> &'a Value {
    match schema["$ref"].as_str() {
        Some(path) => root
            .pointer(path.trim_start_matches('#'))
            .expect("a reference resolves"),
        None => schema,
    }
}

fn description(property: &Value) -> String {
    property["description"]
        .as_str()
        .expect("every key has a comment")
        .replace('\n', " ")
}
