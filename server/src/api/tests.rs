//! The table of APIs against Apache Kafka's own, and every reply in every version through the codec.

use super::*;
use protocol_compat::versions::api_info;

#[test]
fn the_versions_served_are_apache_kafkas() {
    for api in TABLE {
        let kafka = api_info(api.key).unwrap();
        assert!(kafka.on_broker, "{} is not a broker's API", kafka.name);
        assert_eq!((*api.versions.start(), *api.versions.end()), (kafka.min, kafka.max), "{}", kafka.name);
    }
}

#[test]
fn keys_rise_and_appear_once() {
    assert!(TABLE.windows(2).all(|pair| pair[0].key < pair[1].key));
}
