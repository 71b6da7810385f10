use super::*;

fn load(text: &str) -> Result<Config, ConfigError> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("firsthop.toml");
    fs::write(&path, text).unwrap();
    Config::load(Some(&path))
}

fn refusal(text: &str) -> String {
    crate::chain(&load(text).unwrap_err())
}

// Broken if a key of the file had no effect.
#[test]
fn every_key_is_taken() {
    let config = load(
        "vmac_policy = 'active'\nexclude = ['swp3', 'mgmt']\nvrrp_rate = 2000\nvrrp_burst = 4096\n\
         routing = 'cpu'\n\
         [[vmac]]\nlower = 'br0'\npolicy = 'always'\n\
         [[vmac]]\nmac = '00:00:5e:00:02:00/40'\nlower = 'swp1'\npolicy = 'oper'\n\
         [device]\nhwsim = '/run/hwsim/a.sock'\nmanage = false\naudit = 5\ndrift = 'report'\nflower_traps = true\n\
         [liveness]\nwatch = true\nwithdraw_orphans = true\n\
         [netlink]\nreceive_buffer = 65536\n",
    )
    .unwrap();
    let mac = "00:00:5e:00:02:00/40".parse().unwrap();
    let rules = [
        VmacRule { lower: Some("br0".into()), mac: None, policy: VmacPolicy::Always },
        VmacRule { lower: Some("swp1".into()), mac: Some(mac), policy: VmacPolicy::Oper },
    ];
    assert_eq!(config.policy.vmac_rules, rules);
    assert_eq!(config.policy.exclude, BTreeSet::from(["mgmt".to_owned(), "swp3".to_owned()]));
    assert_eq!((config.policy.vrrp_rate, config.policy.vrrp_burst), (2000, 4096));
    let routing = (config.policy.routing, Config::default().policy.routing);
    assert_eq!(routing, (Routing::Cpu, Routing::Hardware));
    assert_eq!(load("routing = 'hardware'\n").unwrap(), Config::default());
    assert_eq!(config.hwsim, Some(PathBuf::from("/run/hwsim/a.sock")));
    assert_eq!(config.manage, Some(false));
    assert_eq!(config.policer, Policer { rate: Some(2000), burst: Some(4096) });
    let care = Care { audit: Duration::from_secs(5), drift: Drift::Report };
    assert_eq!(config.care, care);
    assert_eq!((config.receive_buffer, Config::default().receive_buffer), (Some(65536), None));
    assert!(config.flower_traps && !Config::default().flower_traps);
    assert_eq!(config.liveness, Liveness { watch: true, withdraw_orphans: true });
    assert!(!load("[liveness]\nwatch = false\n").unwrap().liveness.watch);
    let default = Liveness { watch: true, withdraw_orphans: false };
    assert_eq!(load("").unwrap().liveness, default);
    assert_eq!(load("").unwrap(), Config::default());
}

// Broken if a misspelt key or a wrong value were silently ignored, or the message did not say where it is.
#[test]
fn errors_say_where() {
    for (text, parts) in [
        ("vrrp_rate = 5\nvmac_polcy = 'active'\n", vec!["line 2, column 1", "vmac_polcy", "^"]),
        ("[device]\nhwsin = 'x'\n", vec!["line 2, column 1", "hwsin", "hwsim"]),
        ("vmac_policy = 'opera'\n", vec!["line 1, column 15", "opera", "active"]),
        ("routing = 'asic'\n", vec!["line 1, column 11", "asic", "cpu", "hardware"]),
        ("routing = true\n", vec!["line 1, column 11", "wanted string"]),
        ("vrrp_burst = 1000\n", vec!["line 1, column 14", "1000", "power of two", "1024"]),
        ("vrrp_burst = 8\n", vec!["8 is not", "16 is"]),
        ("vrrp_burst = 4000000000\n", vec!["16777216 is"]),
        ("vrrp_rate = 0\n", vec!["line 1, column 13", "0 is not in 1..2000000000"]),
        ("[device]\naudit = 0\n", vec!["line 2, column 9", "0 is not in 1..3600 seconds"]),
        ("[device]\ndrift = 'ignore'\n", vec!["line 2, column 9", "ignore", "repair", "report"]),
        (
            "[netlink]\nreceive_buffer = 64\n",
            vec!["line 2, column 18", "64 is not in 4096..536870912 octets"],
        ),
        ("[netlink]\nreceive_bufer = 65536\n", vec!["line 2, column 1", "receive_bufer"]),
        ("exclude = 'swp1'\n", vec!["line 1", "sequence"]),
        ("exclude = [\n", vec!["line 1"]),
        ("[liveness]\nwatsh = true\n", vec!["line 2, column 1", "watsh", "watch"]),
        ("[liveness]\nwatch = 1\n", vec!["line 2, column 9", "boolean"]),
        (
            "[liveness]\nwatch = false\nwithdraw_orphans = true\n",
            vec!["firsthop.toml", "withdraw_orphans", "`watch`"],
        ),
        (
            "vrrp_rate = 5\n[[vmac]]\npolicy = 'always'\n",
            vec!["line 2, column 1", "`lower` or `mac`", "vmac_policy"],
        ),
        ("[[vmac]]\nlower = 'br0'\n", vec!["line 1", "policy"]),
        ("[[vmac]]\nlowr = 'br0'\npolicy = 'oper'\n", vec!["line 2", "lowr", "lower"]),
        ("[[vmac]]\nmac = 'x/8'\npolicy = 'oper'\n", vec!["line 2, column 7", "'x/8'", "/40"]),
    ] {
        let refusal = refusal(text);
        for part in parts {
            assert!(refusal.contains(part), "{part:?} is not in:\n{refusal}");
        }
    }
}

// Broken if a file that the operator named could be missing, or a missing default file kept the daemon from starting.
#[test]
fn only_a_named_file_has_to_exist() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("none.toml");
    let error = Config::load(Some(&path)).unwrap_err();
    assert!(matches!(error, ConfigError::Read { .. }), "{error:?}");
    assert_eq!(files(dir.path()).unwrap(), Vec::<PathBuf>::new());
}

// Broken if parts were not read, read in another order than by name, or dropped keys of files before them.
#[test]
fn later_files_win_key_by_key() {
    let dir = tempfile::tempdir().unwrap();
    let parts = dir.path().join("conf.d");
    fs::create_dir(&parts).unwrap();
    fs::write(dir.path().join("firsthop.toml"), "vrrp_rate = 1\nvrrp_burst = 16\n").unwrap();
    fs::write(parts.join("20.toml"), "vrrp_rate = 3\n").unwrap();
    fs::write(parts.join("10.toml"), "vrrp_rate = 2\n[device]\nmanage = true\n").unwrap();
    fs::write(parts.join("30.toml.bak"), "nonsense").unwrap();
    let config = Config::from_files(files(dir.path()).unwrap()).unwrap();
    assert_eq!((config.policy.vrrp_rate, config.policy.vrrp_burst), (3, 16));
    assert_eq!(config.manage, Some(true));
    // rules are one key: a later file's replace an earlier one's, as their order counts
    let rule = |policy| format!("[[vmac]]\nlower = 'br0'\npolicy = '{policy}'\n");
    fs::write(parts.join("40.toml"), rule("oper")).unwrap();
    fs::write(parts.join("50.toml"), rule("always")).unwrap();
    let config = Config::from_files(files(dir.path()).unwrap()).unwrap();
    assert_eq!(config.policy.vmac_rules.len(), 1);
    assert_eq!(config.policy.vmac_rules[0].policy, VmacPolicy::Always);
}

/// The keys of a section, by what is said about one that is not there; none: it is no section.
fn keys_of(section: Option<&str>) -> Option<Vec<String>> {
    let header = section.map_or_else(String::new, |section| format!("[{section}]\n"));
    let refusal = refusal(&format!("{header}unheard_of = 1\n"));
    let (_, expected) = refusal.split_once("unknown field `unheard_of`, expected ")?;
    Some(expected.split('`').skip(1).step_by(2).map(str::to_owned).collect())
}

// Broken if a key of the file were missing from the settings, so that `check` and a reload were silent about it.
#[test]
fn every_key_is_a_setting() {
    let mut keys = BTreeSet::new();
    for key in keys_of(None).unwrap() {
        match keys_of(Some(&key)) {
            Some(inner) => keys.extend(inner.iter().map(|inner| format!("{key}.{inner}"))),
            None => _ = keys.insert(key),
        }
    }
    let settings = Config::default().settings();
    let told: BTreeSet<String> = settings.iter().map(|setting| setting.key.to_owned()).collect();
    assert_eq!(told, keys);
    assert_eq!(settings.len(), keys.len());
}

// Broken if a key could change without a word, under another key's name, or as if it counted at another time.
#[test]
fn each_change_is_told() {
    let mut untold: BTreeSet<_> =
        Config::default().settings().into_iter().map(|setting| setting.key).collect();
    for (text, key, now, then, at_start) in [
        ("vmac_policy = 'oper'", "vmac_policy", "active", "oper", false),
        (
            "[[vmac]]\nlower = 'br0'\nmac = '02:00:00:00:00:00/8'\npolicy = 'always'\n\
             [[vmac]]\nlower = 'swp1'\npolicy = 'oper'",
            "vmac",
            "none",
            "lower br0 mac 02:00:00:00:00:00/8 policy always, lower swp1 policy oper",
            false,
        ),
        ("exclude = ['swp3', 'mgmt']", "exclude", "none", "mgmt swp3", false),
        ("routing = 'cpu'", "routing", "hardware", "cpu", false),
        ("vrrp_rate = 1024", "vrrp_rate", "not set", "1024", false),
        ("vrrp_burst = 1024", "vrrp_burst", "not set", "1024", false),
        ("[liveness]\nwatch = false", "liveness.watch", "true", "false", false),
        (
            "[liveness]\nwithdraw_orphans = true",
            "liveness.withdraw_orphans",
            "false",
            "true",
            false,
        ),
        ("[device]\nhwsim = '/run/a'", "device.hwsim", "not set", "/run/a", true),
        ("[device]\nmanage = false", "device.manage", "not set", "false", true),
        ("[device]\naudit = 5", "device.audit", "30 s", "5 s", false),
        ("[device]\ndrift = 'report'", "device.drift", "repair", "report", false),
        ("[device]\nflower_traps = true", "device.flower_traps", "false", "true", false),
        ("[audit]\ninterval = 0", "audit.interval", "300 s", "never", false),
        ("[netlink]\nreceive_buffer = 65536", "netlink.receive_buffer", "not set", "65536", true),
    ] {
        let changes: Vec<_> = Config::default().changes(&load(text).unwrap()).collect();
        let [(here, there)] = changes.as_slice() else { panic!("{text}: {changes:?}") };
        assert_eq!((here.key, here.value.as_str(), here.at_start), (key, now, at_start));
        assert_eq!((there.key, there.value.as_str(), there.at_start), (key, then, at_start));
        untold.remove(key);
    }
    assert_eq!(untold, BTreeSet::new(), "without an example");
}
