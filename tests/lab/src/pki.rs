//! Certificates of one lab: one authority, and whatever it issues. They live as long as the lab.

use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use time::{Duration, OffsetDateTime};

use crate::folder::write_private;

/// Lifetime of every certificate. A lab that runs longer is started anew.
const LIFETIME: Duration = Duration::days(365);

/// A certificate could not be made.
#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    /// The certificate's contents were refused.
    #[error("cannot issue the certificate `{name}`")]
    Issue {
        /// The certificate's file name.
        name: String,
        /// The cause.
        #[source]
        source: rcgen::Error,
    },
    /// The file system refused.
    #[error("cannot write {path}")]
    Write {
        /// Which file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
}

/// A certificate with its key, as files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyFiles {
    /// PEM certificate.
    pub certificate: PathBuf,
    /// PEM key (PKCS #8), readable by its owner only.
    pub key: PathBuf,
}

/// What a certificate may be used for (RFC 5280, 4.2.1.12, extended key usage).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Usage {
    Server,
    Client,
    /// etcd's members use one certificate both ways.
    Peer,
}

/// The lab's certificate authority.
#[derive(Debug)]
pub struct Authority {
    folder: PathBuf,
    certificate: PathBuf,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// Makes an authority whose files go to `folder`.
    pub fn create(folder: &Path) -> Result<Self, PkiError> {
        let named = |source| PkiError::Issue { name: "ca".into(), source };
        let mut params = params(Vec::new()).map_err(named)?;
        params.distinguished_name.push(DnType::CommonName, "jiyun-lab");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().map_err(named)?;
        let signed = params.self_signed(&key).map_err(named)?;
        let certificate = folder.join("ca.crt");
        write(&certificate, &signed.pem())?;
        Ok(Self { folder: folder.to_owned(), certificate, issuer: Issuer::new(params, key) })
    }

    /// The authority's certificate file.
    pub fn certificate(&self) -> &Path {
        &self.certificate
    }

    /// A certificate for a server that answers under these names and addresses.
    pub fn server(&self, name: &str, names: &[&str]) -> Result<KeyFiles, PkiError> {
        self.issue(name, name, None, names, Usage::Server)
    }

    /// A certificate for an etcd member, which is server and client of its peers.
    pub fn peer(&self, name: &str, names: &[&str]) -> Result<KeyFiles, PkiError> {
        self.issue(name, name, None, names, Usage::Peer)
    }

    /// A certificate for a client: `common_name` is its user, `group` its one group (as Kubernetes reads subjects).
    pub fn client(&self, name: &str, common_name: &str, group: Option<&str>) -> Result<KeyFiles, PkiError> {
        self.issue(name, common_name, group, &[], Usage::Client)
    }

    /// A key pair without a certificate: (public, private), as the API server signs tokens with.
    pub fn key_pair(&self, name: &str) -> Result<(PathBuf, PathBuf), PkiError> {
        let key = KeyPair::generate().map_err(|source| PkiError::Issue { name: name.to_owned(), source })?;
        let (public, private) = (self.folder.join(format!("{name}.pub")), self.folder.join(format!("{name}.key")));
        write(&public, &key.public_key_pem())?;
        write(&private, &key.serialize_pem())?;
        Ok((public, private))
    }

    fn issue(
        &self,
        name: &str,
        common_name: &str,
        group: Option<&str>,
        names: &[&str],
        usage: Usage,
    ) -> Result<KeyFiles, PkiError> {
        let refused = |source| PkiError::Issue { name: name.to_owned(), source };
        let (params, key) = subject(common_name, group, names, usage).map_err(refused)?;
        let signed = params.signed_by(&key, &self.issuer).map_err(refused)?;
        let files = KeyFiles {
            certificate: self.folder.join(format!("{name}.crt")),
            key: self.folder.join(format!("{name}.key")),
        };
        write(&files.certificate, &signed.pem())?;
        write(&files.key, &key.serialize_pem())?;
        Ok(files)
    }
}

fn subject(
    common_name: &str,
    group: Option<&str>,
    names: &[&str],
    usage: Usage,
) -> Result<(CertificateParams, KeyPair), rcgen::Error> {
    let sans = names
        .iter()
        .map(|name| match name.parse::<IpAddr>() {
            Ok(address) => Ok(SanType::IpAddress(address)),
            Err(_) => Ok(SanType::DnsName((*name).try_into()?)),
        })
        .collect::<Result<_, rcgen::Error>>()?;
    let mut params = params(sans)?;
    params.distinguished_name.push(DnType::CommonName, common_name);
    if let Some(group) = group {
        params.distinguished_name.push(DnType::OrganizationName, group);
    }
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = match usage {
        Usage::Server => vec![ExtendedKeyUsagePurpose::ServerAuth],
        Usage::Client => vec![ExtendedKeyUsagePurpose::ClientAuth],
        Usage::Peer => vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth],
    };
    Ok((params, KeyPair::generate()?))
}

fn params(sans: Vec<SanType>) -> Result<CertificateParams, rcgen::Error> {
    let now = OffsetDateTime::now_utc();
    let mut params = CertificateParams::new(Vec::new())?;
    params.subject_alt_names = sans;
    params.distinguished_name = DistinguishedName::new();
    // An hour of the past: clocks of virtual machines are sometimes set back after boot.
    params.not_before = now - Duration::hours(1);
    params.not_after = now + LIFETIME;
    Ok(params)
}

fn write(path: &Path, content: &str) -> Result<(), PkiError> {
    write_private(path, content).map_err(|source| PkiError::Write { path: path.to_owned(), source })
}
