//! The driver's INF and its event texts against the driver's source, so that they cannot drift apart.
//!
//! Parsers of INI files do not fit: an INF has lines without a key, keys that repeat, and semicolons within quotes.

use crate::workspace::Workspace;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;
use syn::visit::{self, Visit};
use syn::{BinOp, Expr, ExprIf, Lit, Macro};

#[path = "../../../host-driver/kmdf/messages.rs"]
mod messages;

const INX: &str = "host-driver/kmdf/pinring_kmdf.inx";

fn read(path: &str) -> String {
    let workspace = Workspace::find().unwrap();
    fs::read_to_string(workspace.root.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A section's lines, each cut into its fields at commas and the first equals sign.
type Sections = BTreeMap<String, Vec<Vec<String>>>;

fn parse(text: &str) -> Sections {
    let mut sections = Sections::new();
    let mut name = String::new();
    for line in text.lines() {
        let fields = fields(line);
        let first = fields[0].as_str();
        if let Some(section) = first.strip_prefix('[') {
            name = section
                .strip_suffix(']')
                .expect("a bracket is closed")
                .to_owned();
            let before = sections.insert(name.clone(), Vec::new());
            assert!(before.is_none(), "section {name} comes twice");
        } else if !first.is_empty() {
            sections
                .get_mut(&name)
                .expect("a line is in a section")
                .push(fields);
        }
    }
    sections
}

/// Fields of a line, without quotes and comment.
fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let (mut quoted, mut key) = (false, true);
    for letter in line.chars() {
        match letter {
            '"' => quoted = !quoted,
            ';' if !quoted => break,
            '=' if !quoted && key => {
                key = false;
                fields.push(String::new());
            }
            ',' if !quoted => {
                key = false;
                fields.push(String::new());
            }
            _ => fields.last_mut().unwrap().push(letter),
        }
    }
    fields.iter().map(|field| field.trim().to_owned()).collect()
}

/// The value of a key of a section.
fn value<'a>(sections: &'a Sections, section: &str, key: &str) -> &'a [String] {
    sections[section]
        .iter()
        .find(|fields| fields[0] == key)
        .map(|fields| &fields[1..])
        .unwrap_or_else(|| panic!("[{section}] has no {key}"))
}

/// The registry values of a section: key below HKR and name, flags, data.
fn registry(sections: &Sections, section: &str) -> BTreeMap<(String, String), (u32, String)> {
    let number = |text: &str| u32::from_str_radix(text.trim_start_matches("0x"), 16).unwrap();
    sections[section]
        .iter()
        .map(|fields| {
            assert_eq!(fields[0], "HKR");
            let flags = fields[3..]
                .first()
                .map_or(0, |flags| if flags.is_empty() { 0 } else { number(flags) });
            let data = fields.get(4).cloned().unwrap_or_default();
            ((fields[1].clone(), fields[2].clone()), (flags, data))
        })
        .collect()
}

#[test]
fn inf_is_a_windows_driver_s() {
    let inf = parse(&read(INX));
    assert_eq!(value(&inf, "Version", "PnpLockdown"), ["1"]);
    assert_eq!(value(&inf, "Version", "CatalogFile"), ["pinring_kmdf.cat"]);
    assert_eq!(value(&inf, "DestinationDirs", "DefaultDestDir"), ["13"]);
    assert_eq!(
        value(&inf, "Pinring_Service", "ServiceBinary"),
        [r"%13%\pinring_kmdf.sys"]
    );
    assert!(!inf.contains_key("ClassInstall32"));
    // KMDF 1.31 came with this build of Windows.
    assert_eq!(
        value(&inf, "Manufacturer", "%Provider%"),
        ["Models", "NT$ARCH$.10.0...19041"]
    );
    assert!(read("host-driver/kmdf/Cargo.toml").contains("target-kmdf-version-minor = 31"));
    // Every section that is referred to is there, and every other is known to Windows.
    let mut known: BTreeSet<&str> = [
        "Version",
        "DestinationDirs",
        "SourceDisksNames",
        "SourceDisksFiles",
        "Manufacturer",
        "Strings",
    ]
    .into();
    known.extend([
        "Models.NT$ARCH$.10.0...19041",
        "Pinring_Install.NT",
        "Pinring_Install.NT.HW",
    ]);
    known.extend(["Pinring_Install.NT.Services", "Pinring_Install.NT.Wdf"]);
    for fields in inf.values().flatten() {
        for field in &fields[1..] {
            if let Some((section, _)) = inf.get_key_value(field) {
                known.insert(section);
            }
        }
        for token in fields
            .iter()
            .flat_map(|field| field.split('%').skip(1).step_by(2))
        {
            let is_known = token == "13" || inf["Strings"].iter().any(|string| string[0] == token);
            assert!(is_known, "%{token}% has no string");
        }
    }
    let sections: BTreeSet<&str> = inf.keys().map(String::as_str).collect();
    assert_eq!(sections, known);
}

#[test]
fn inf_asks_for_messages_and_for_remapping_where_it_protects() {
    let inf = parse(&read(INX));
    let interrupts = registry(&inf, "Pinring_Interrupts");
    let message = |name: &str| {
        let key = r"Interrupt Management\MessageSignaledInterruptProperties";
        interrupts[&(key.into(), name.into())].1.clone()
    };
    assert_eq!(message("MSISupported"), "1");
    assert_eq!(message("MessageNumberLimit"), "16");
    let remapping = registry(&inf, "Pinring_Remapping");
    let value = |name: &str| remapping[&("DMA Management".into(), name.into())].1.clone();
    assert_eq!(
        (value("RemappingSupported"), value("RemappingFlags")),
        ("1".into(), "1".into())
    );
}

/// `pinring doctor` looks where the INF writes.
#[test]
fn doctor_reads_what_the_inf_writes() {
    #[derive(Default)]
    struct Texts(BTreeSet<String>);
    impl<'ast> Visit<'ast> for Texts {
        /// Documentation.
        fn visit_attribute(&mut self, _: &'ast syn::Attribute) {}
        fn visit_lit_str(&mut self, text: &'ast syn::LitStr) {
            self.0.insert(text.value());
        }
        fn visit_macro(&mut self, call: &'ast Macro) {
            self.0
                .extend(call.parse_body::<syn::LitStr>().map(|text| text.value()));
        }
    }
    let texts = |path| {
        let mut texts = Texts::default();
        texts.visit_file(&syn::parse_file(&read(path)).unwrap());
        texts.0
    };
    let inf = parse(&read(INX));
    let service = &inf["Pinring_Install.NT.Services"][0];
    assert_eq!(service[0], "AddService");
    let shared = texts("host-driver/ioctl/src/lib.rs");
    assert!(shared.contains(&service[1]), "{shared:?}");
    let doctor = texts("host-driver/client/src/windows/facts.rs");
    let key = r"SYSTEM\CurrentControlSet\Services\{SERVICE}\Parameters";
    let mut wanted = BTreeSet::from([key.to_owned()]);
    let device = registry(&inf, "Pinring_Remapping").into_keys();
    wanted.extend(device.flat_map(|(key, name)| [key, name]));
    wanted.insert("DmaRemappingCompatible".to_owned());
    assert_eq!(doctor, wanted);
    assert!(
        registry(&inf, "Pinring_Parameters")
            .contains_key(&("Parameters".to_owned(), "DmaRemappingCompatible".to_owned()))
    );
}

/// `Name` -> field of the settings, and field -> default.
#[derive(Default)]
struct Settings {
    fields: BTreeMap<String, String>,
    defaults: BTreeMap<String, u64>,
}

impl<'ast> Visit<'ast> for Settings {
    /// `if let Some(..) = value(wide!("Name")) { settings.field = ..; }`
    fn visit_expr_if(&mut self, expression: &'ast ExprIf) {
        let mut names = Wide::default();
        names.visit_expr(&expression.cond);
        let mut assigned = Assigned::default();
        assigned.visit_block(&expression.then_branch);
        if let (Some(name), Some(field)) = (names.0.pop(), assigned.0) {
            self.fields.insert(name, field);
        }
        visit::visit_expr_if(self, expression);
    }

    fn visit_impl_item_const(&mut self, item: &'ast syn::ImplItemConst) {
        if let (true, Expr::Struct(fields)) = (item.ident == "DEFAULT", &item.expr) {
            for field in &fields.fields {
                if let syn::Member::Named(name) = &field.member {
                    self.defaults
                        .insert(name.to_string(), evaluate(&field.expr));
                }
            }
        }
    }
}

/// Texts given to the macro `wide!`.
#[derive(Default)]
struct Wide(Vec<String>);

impl<'ast> Visit<'ast> for Wide {
    fn visit_macro(&mut self, call: &'ast Macro) {
        if let (true, Ok(text)) = (call.path.is_ident("wide"), call.parse_body::<syn::LitStr>()) {
            self.0.push(text.value());
        }
    }
}

/// The field that a block assigns.
#[derive(Default)]
struct Assigned(Option<String>);

impl<'ast> Visit<'ast> for Assigned {
    fn visit_expr_assign(&mut self, assignment: &'ast syn::ExprAssign) {
        if let Expr::Field(field) = &*assignment.left
            && let syn::Member::Named(name) = &field.member
        {
            self.0 = Some(name.to_string());
        }
    }
}

fn evaluate(expression: &Expr) -> u64 {
    match expression {
        Expr::Lit(literal) => match &literal.lit {
            Lit::Int(number) => number.base10_parse().unwrap(),
            _ => panic!("a default is no number"),
        },
        Expr::Binary(binary) => {
            let (left, right) = (evaluate(&binary.left), evaluate(&binary.right));
            match binary.op {
                BinOp::Shl(_) => left << right,
                BinOp::Mul(_) => left * right,
                _ => panic!("a default has an operator that is not known here"),
            }
        }
        _ => panic!("a default is no number and no shift of one"),
    }
}

fn settings() -> Settings {
    let mut settings = Settings::default();
    let source = read("host-driver/kmdf/src/registry.rs");
    settings.visit_file(&syn::parse_file(&source).unwrap());
    assert!(
        !settings.fields.is_empty(),
        "registry.rs is not written as this test reads it"
    );
    settings
}

/// The registry values, with their defaults in the registry's units.
fn defaults() -> BTreeMap<String, u64> {
    let settings = settings();
    let default = |field: &String| settings.defaults[field];
    let unit = |name: &str| if name.contains("MiB") { 20 } else { 0 };
    let entries = settings.fields.iter();
    entries
        .map(|(name, field)| (name.clone(), default(field) >> unit(name)))
        .collect()
}

#[test]
fn inf_sets_the_driver_s_defaults() {
    let mut inf: BTreeMap<_, _> = registry(&parse(&read(INX)), "Pinring_Parameters")
        .into_iter()
        .map(|((key, name), (flags, data))| {
            assert_eq!(key, "Parameters");
            // REG_DWORD, and an update keeps what an administrator has set: FLG_ADDREG_NOCLOBBER.
            assert_eq!(flags, 0x0001_0003, "{name}");
            (name, data.parse().unwrap())
        })
        .collect();
    assert_eq!(inf.remove("DmaRemappingCompatible"), Some(2));
    assert_eq!(inf, defaults());
}

#[test]
fn inf_and_driver_admit_the_same_users() {
    #[derive(Default)]
    struct Texts(Vec<String>);
    impl<'ast> Visit<'ast> for Texts {
        fn visit_lit_str(&mut self, text: &'ast syn::LitStr) {
            self.0.push(text.value());
        }
        fn visit_macro(&mut self, call: &'ast Macro) {
            self.0
                .extend(call.parse_body::<syn::LitStr>().map(|text| text.value()));
        }
    }
    let mut texts = Texts::default();
    texts.visit_file(&syn::parse_file(&read("host-driver/kmdf/src/device.rs")).unwrap());
    let driver: BTreeSet<_> = texts
        .0
        .into_iter()
        .filter(|text| text.starts_with("D:P"))
        .collect();
    let inf = registry(&parse(&read(INX)), "Pinring_Security");
    let inf = inf[&(String::new(), "Security".into())].1.clone();
    assert_eq!(driver, BTreeSet::from([inf]));
}

#[test]
fn guide_says_what_inf_and_driver_say() {
    let guide = read("docs/windows.md");
    let inf = parse(&read(INX));
    let hardware = &value(&inf, "Models.NT$ARCH$.10.0...19041", "%Device%")[1];
    assert!(guide.contains(hardware.as_str()), "{hardware}");
    for (name, default) in defaults() {
        let row = format!("| `{name}` | {default} |");
        assert!(
            guide.contains(&row),
            "docs/windows.md has no row that begins with {row}"
        );
    }
    let trace = read("host-driver/kmdf/src/trace.rs");
    let begin = trace.find('{').unwrap();
    let provider = &trace[begin + 1..begin + 37];
    assert_eq!(provider.matches('-').count(), 4, "{provider} is no GUID");
    assert!(guide.contains(provider), "{provider}");
    let sddl = inf["Pinring_Security"][0].last().unwrap();
    assert!(guide.contains(sddl.as_str()), "{sddl}");
}

#[test]
fn event_log_has_a_text_for_each_entry_of_the_driver() {
    let trace = read("host-driver/kmdf/src/trace.rs");
    let logged: BTreeSet<u16> = trace
        .lines()
        .filter_map(|line| line.strip_prefix("//! | ")?.strip_suffix(" | yes |"))
        .map(|row| row.split(' ').next().unwrap().parse().unwrap())
        .collect();
    let numbers = messages::MESSAGES.iter().map(|(number, ..)| *number);
    assert_eq!(logged, numbers.collect());
    assert_eq!(
        messages::code(2, messages::Severity::Informational),
        0x60a1_1002
    );
    assert_eq!(messages::code(5, messages::Severity::Error), 0xe0a1_1005);
}

#[test]
fn message_table_is_well_formed() {
    let table = messages::table();
    let word = |at: usize| u32::from_le_bytes(table[at..at + 4].try_into().unwrap());
    let half = |at: usize| u16::from_le_bytes(table[at..at + 2].try_into().unwrap());
    let count = word(0) as usize;
    assert_eq!(count, messages::MESSAGES.len());
    let mut end = 4 + 12 * count;
    for block in 0..count {
        let at = 4 + 12 * block;
        assert_eq!(word(at), word(at + 4));
        assert!(
            block == 0 || word(at - 12) < word(at),
            "blocks are in order"
        );
        assert_eq!(word(at + 8) as usize, end);
        let length = half(end) as usize;
        assert_eq!((half(end + 2), length % 4), (1, 0));
        let text: Vec<u16> = (end + 4..end + length).step_by(2).map(half).collect();
        let text = String::from_utf16(&text).unwrap();
        assert!(text.trim_end_matches('\0').ends_with("\r\n"), "{text:?}");
        assert!(text.starts_with("%1: "));
        end += length;
    }
    assert_eq!(end, table.len());
}

/// A resource compiler takes the script, where one is at hand.
#[test]
fn resources_compile() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("messages.bin"), messages::table()).unwrap();
    fs::write(
        folder.path().join("driver.rc"),
        messages::script("1.2.3-beta"),
    )
    .unwrap();
    let mut compiler = Command::new("llvm-rc");
    compiler
        .current_dir(&folder)
        .args(["/FO", "driver.res", "--", "driver.rc"]);
    match compiler.output() {
        Ok(output) => {
            assert!(
                output.status.success(),
                "{}",
                String::from_utf8_lossy(&output.stderr)
            );
            assert!(folder.path().join("driver.res").is_file());
        }
        Err(error) => eprintln!("llvm-rc is not here ({error}): the script was not compiled"),
    }
}
