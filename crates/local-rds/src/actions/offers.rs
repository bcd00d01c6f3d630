//! DescribeOrderableDBInstanceOptions and DescribeCertificates: what an instance can be made of.

use super::{Answer, Call};
use crate::app::App;
use crate::error::RdsError;
use crate::names::{Arn, glob};
use crate::params::paged;
use crate::state::CERTIFICATES;
use crate::wire::Xml;

/// Families of classes that RDS offers for PostgreSQL, and their sizes. Not all of them.
const FAMILIES: [(&str, &[&str]); 9] = [
    ("t3", &["micro", "small", "medium", "large", "xlarge", "2xlarge"]),
    ("t4g", &["micro", "small", "medium", "large", "xlarge", "2xlarge"]),
    ("m5", &["large", "xlarge", "2xlarge", "4xlarge", "8xlarge"]),
    ("m6g", &["large", "xlarge", "2xlarge", "4xlarge", "8xlarge"]),
    ("m6i", &["large", "xlarge", "2xlarge", "4xlarge", "8xlarge"]),
    ("m7g", &["large", "xlarge", "2xlarge", "4xlarge", "8xlarge"]),
    ("r5", &["large", "xlarge", "2xlarge", "4xlarge", "8xlarge"]),
    ("r6g", &["large", "xlarge", "2xlarge", "4xlarge", "8xlarge"]),
    ("r7g", &["large", "xlarge", "2xlarge", "4xlarge", "8xlarge"]),
];

/// Types of storage, each with its smallest size in GiB.
const STORAGE: [(&str, u32); 4] = [("gp2", 20), ("gp3", 20), ("io1", 100), ("io2", 100)];

struct Offer {
    class: String,
    storage: &'static str,
    least: u32,
}

/// What the tuning says about a class that somebody wants to use.
pub(super) fn check_class(app: &App, class: &str) -> Result<(), RdsError> {
    let (tuning, engine) = (app.tuning(), app.binaries.version());
    let listed = |globs: &[String]| globs.iter().any(|pattern| glob(pattern, class));
    if listed(&tuning.classes_not_offered) {
        return Err(RdsError::invalid_combination(format!(
            "RDS does not support creating a DB instance with the following combination: DBInstanceClass={class}, \
             Engine=postgres, EngineVersion={engine}, LicenseModel=postgresql-license."
        )));
    }
    if listed(&tuning.classes_without_capacity) {
        let why = format!("Cannot create a {class} database instance because there is no capacity.");
        return Err(RdsError::new("InsufficientDBInstanceCapacity", why));
    }
    Ok(())
}

pub(super) fn orderable(call: &Call) -> Answer {
    let params = &call.params;
    let page = params.page_of(10_000)?;
    let (engine, version) = (params.required("Engine")?, call.app.binaries.version());
    let wanted = params.text("DBInstanceClass");
    let hidden = call.app.tuning().classes_not_offered;
    let fits = engine == "postgres"
        && params.text("EngineVersion").is_none_or(|wanted| wanted == version)
        && params.text("LicenseModel").is_none_or(|wanted| wanted == "postgresql-license")
        && params.boolean("Vpc")?.unwrap_or(true);
    let classes = FAMILIES.iter().flat_map(|(family, sizes)| sizes.iter().map(move |size| (family, size)));
    let offers: Vec<(String, Offer)> = classes
        .map(|(family, size)| format!("db.{family}.{size}"))
        .filter(|class| fits && wanted.is_none_or(|wanted| wanted == class))
        .filter(|class| !hidden.iter().any(|pattern| glob(pattern, class)))
        .flat_map(|class| STORAGE.map(|(storage, least)| Offer { class: class.clone(), storage, least }))
        .map(|offer| (format!("{} {}", offer.class, offer.storage), offer))
        .collect();
    let mut sorted: Vec<(&str, &Offer)> = offers.iter().map(|(key, offer)| (key.as_str(), offer)).collect();
    sorted.sort_by_key(|(key, _)| *key);
    let (shown, marker) = paged(sorted, page);
    let mut xml = Xml::new();
    xml.maybe("Marker", marker).list(
        "OrderableDBInstanceOptions",
        "OrderableDBInstanceOption",
        shown,
        |xml, offer| describe(xml, &call.region, version, offer),
    );
    Ok(Some(xml))
}

fn describe(xml: &mut Xml, region: &str, version: &str, offer: &Offer) {
    let provisioned = offer.storage.starts_with("io");
    xml.text("Engine", "postgres")
        .text("EngineVersion", version)
        .text("DBInstanceClass", &offer.class)
        .text("LicenseModel", "postgresql-license")
        .list("AvailabilityZones", "AvailabilityZone", ["a", "b", "c"], |xml, zone| {
            xml.text("Name", format!("{region}{zone}"));
        })
        .text("MultiAZCapable", true)
        .text("ReadReplicaCapable", true)
        .text("Vpc", true)
        // The smallest classes of the oldest generations only cannot; none of those is here.
        .text("SupportsStorageEncryption", true)
        .text("StorageType", offer.storage)
        .text("SupportsIops", provisioned || offer.storage == "gp3")
        .text("SupportsStorageThroughput", offer.storage == "gp3")
        .text("SupportsEnhancedMonitoring", true)
        .text("SupportsIAMDatabaseAuthentication", true)
        .text("SupportsPerformanceInsights", true)
        .text("MinStorageSize", offer.least)
        .text("MaxStorageSize", 65_536);
    if provisioned {
        xml.text("MinIopsPerDbInstance", 1000).text("MaxIopsPerDbInstance", 256_000);
    }
    xml.text("SupportsStorageAutoscaling", true)
        .text("OutpostCapable", false)
        .text("SupportsGlobalDatabases", false)
        .list("SupportedNetworkTypes", "member", ["IPV4", "DUAL"], |xml, kind| {
            xml.inner(kind);
        })
        .text("SupportsClusters", false)
        .text("SupportsDedicatedLogVolume", provisioned);
}

pub(super) fn certificates(call: &Call) -> Answer {
    let params = &call.params;
    let page = params.page()?;
    let wanted = params.text("CertificateIdentifier");
    if let Some(name) = wanted.filter(|name| !CERTIFICATES.contains(name)) {
        return Err(RdsError::certificate_not_found(name));
    }
    let mut found: Vec<(&str, &&str)> = CERTIFICATES
        .iter()
        .filter(|name| wanted.is_none_or(|wanted| wanted == **name))
        .map(|name| (*name, name))
        .collect();
    found.sort_by_key(|(name, _)| *name);
    let (shown, marker) = paged(found, page);
    let mut xml = Xml::new();
    xml.text("DefaultCertificateForNewLaunches", CERTIFICATES[0]);
    xml.maybe("Marker", marker).list("Certificates", "Certificate", shown, |xml, name| {
        xml.text("CertificateIdentifier", name)
            .text("CertificateType", "CA")
            .text("ValidFrom", "2021-05-25T00:00:00Z")
            .text("ValidTill", "2121-05-25T00:00:00Z")
            .text("CertificateArn", Arn::certificate(&call.region, name))
            .text("CustomerOverride", false);
    });
    Ok(Some(xml))
}
