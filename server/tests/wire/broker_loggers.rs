//! The levels of loggers over the wire. No broker of this process writes lines: that the lines follow the levels is shown
//! with the real binary (see `reloading`).

use super::configs::*;
use super::harness::{Broker, Client, TestDir};

fn level(client: &mut Client, logger: &str) -> Option<String> {
    let results = describe(client, vec![asked(LOGGER, "1", Some(&[logger]))]);
    let entry = results[0].configs.first()?;
    assert_eq!((entry.config_source, entry.read_only, entry.is_sensitive), (6, false, false));
    assert!(
        entry.synonyms.is_empty() && entry.documentation.as_deref() == Some("") && entry.config_type == 0
    );
    Some(entry.value.as_ref().unwrap().to_string())
}

/// One test: the loggers are the process's.
#[test]
fn levels_are_set_inherited_and_refused_as_in_kafka() {
    let dir = TestDir::new();
    let broker = Broker::start(&dir, &[]);
    let mut client = broker.client();
    let change = |client: &mut Client, ops: &[Op]| alter(client, &[(LOGGER, "1", ops)])[0];
    let logger = "server::quotas";
    let is = |level: &str| Some(level.to_owned());
    assert_eq!((level(&mut client, "root"), level(&mut client, logger)), (is("INFO"), is("INFO")));
    assert_eq!(level(&mut client, "no.such"), None);
    assert_eq!(change(&mut client, &[(logger, SET, Some("FATAL")), ("root", SET, Some("WARN"))]), 0);
    assert_eq!((level(&mut client, "root"), level(&mut client, logger)), (is("WARN"), is("FATAL")));
    assert_eq!(level(&mut client, "storage::journal"), is("WARN"));
    let wrong: &[(Op, i16)] = &[
        (("no.such", SET, Some("INFO")), 40),
        ((logger, SET, Some("info")), 40),
        ((logger, SET, Some("OFF")), 40),
        ((logger, SET, None), 42),
        ((logger, APPEND, Some("INFO")), 42),
        ((logger, SUBTRACT, Some("INFO")), 42),
        ((logger, 7, Some("INFO")), -1),
        (("root", DELETE, None), 42),
        (("no.such", DELETE, None), 40),
    ];
    for (op, code) in wrong {
        assert_eq!(change(&mut client, &[*op]), *code, "{op:?}");
        assert_eq!(
            change(&mut client, &[("root", SET, Some("TRACE")), *op]),
            if op.0 == "root" { 42 } else { *code }
        );
    }
    let mut dry = alter_request(&[(LOGGER, "1", &[("root", SET, Some("TRACE"))])]);
    dry.validate_only = true;
    assert_eq!(client.call(1, &dry).responses[0].error_code, 0);
    assert_eq!((level(&mut client, "root"), level(&mut client, logger)), (is("WARN"), is("FATAL")));
    assert_eq!(change(&mut client, &[(logger, DELETE, None)]), 0);
    assert_eq!(level(&mut client, logger), is("WARN"));
    assert_eq!(change(&mut client, &[("root", SET, Some("INFO"))]), 0);
    assert_eq!(alter(&mut client, &[(LOGGER, "2", &[]), (LOGGER, "", &[])]), [42, 42]);
    assert_eq!(replace(&mut client, LOGGER, "1", &[("root", Some("INFO"))]), 42, "not by this API");
}
