//! How an existing cluster is reached: one context of a kubeconfig, on its own and with absolute paths.

use std::path::Path;

use k8s_openapi::ByteString;
use kube::config::{Cluster, Context, Kubeconfig};

use super::ClusterError;

/// The way to an existing cluster, as the user of one context.
#[derive(Debug, Clone)]
pub(crate) struct Access {
    /// The API server's URL.
    pub(crate) url: String,
    /// The authority that signed the API server's certificate, in PEM.
    pub(crate) authority: String,
    /// A kubeconfig with that context alone. It holds the user's credentials.
    pub(crate) kubeconfig: String,
}

impl Access {
    /// Reads a kubeconfig; of its contexts the one named, else its current one.
    pub(crate) fn read(path: &Path, context: Option<&str>) -> Result<Self, ClusterError> {
        let failed = |source: Box<dyn std::error::Error + Send + Sync>| ClusterError::Kubeconfig {
            path: path.to_owned(),
            source,
        };
        // Paths in the file are relative to it, and become absolute where its own path is.
        let absolute = std::path::absolute(path).map_err(|error| failed(error.into()))?;
        let mut config = Kubeconfig::read_from(absolute).map_err(|error| failed(error.into()))?;
        let name = context.map(str::to_owned).or_else(|| config.current_context.clone()).unwrap_or_default();
        let unusable = |problem| ClusterError::Unusable { path: path.to_owned(), context: name.clone(), problem };

        let found = config.contexts.iter().find(|known| known.name == name).and_then(|known| known.context.clone());
        let Some(Context { cluster, user, .. }) = found else {
            let known = config.contexts.iter().map(|known| format!("`{}`", known.name)).collect::<Vec<_>>().join(", ");
            return Err(ClusterError::NoContext { path: path.to_owned(), context: name, known });
        };
        config.contexts.retain(|known| known.name == name);
        config.clusters.retain(|known| known.name == cluster);
        config.auth_infos.retain(|known| Some(&known.name) == user.as_ref());
        let Some(cluster) = config.clusters.first().and_then(|known| known.cluster.clone()) else {
            return Err(unusable("names a cluster that is not in the file: correct it"));
        };
        let (url, authority) = (address(&cluster).map_err(&unusable)?, authority(&cluster));
        let authority = authority.map_err(failed)?.ok_or_else(|| {
            unusable("names no certificate-authority, which Jiyun's API needs as a file: add it, as file or as data")
        })?;
        config.current_context = Some(name.clone());
        // JSON is YAML, for kubectl too.
        let kubeconfig = serde_json::to_string_pretty(&config).map_err(|error| failed(error.into()))?;
        Ok(Self { url, authority, kubeconfig })
    }
}

/// The server's URL. Jiyun's API is told it and the authority, nothing else, so nothing else may be needed.
fn address(cluster: &Cluster) -> Result<String, &'static str> {
    if cluster.insecure_skip_tls_verify == Some(true) {
        return Err("skips the verification of the server's certificate (insecure-skip-tls-verify), and Jiyun's API \
                    does not: name the certificate-authority instead");
    }
    if cluster.tls_server_name.is_some() || cluster.proxy_url.is_some() {
        return Err("needs a tls-server-name or a proxy-url, which Jiyun's API cannot be told: use a kubeconfig that \
                    reaches the server directly, under a name in its certificate");
    }
    let server = cluster.server.as_deref().filter(|server| server.starts_with("https://"));
    server.map(|server| server.trim_end_matches('/').to_owned()).ok_or("names no server that begins with https://")
}

/// The authority in PEM, from the file's own data or from the file it names; nothing if it says neither.
fn authority(cluster: &Cluster) -> Result<Option<String>, Box<dyn std::error::Error + Send + Sync>> {
    if let Some(data) = &cluster.certificate_authority_data {
        let data: String = data.split_whitespace().collect();
        let ByteString(pem) = serde_json::from_value(data.into())?;
        return Ok(Some(String::from_utf8(pem)?));
    }
    let Some(file) = &cluster.certificate_authority else { return Ok(None) };
    Ok(Some(std::fs::read_to_string(file)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = "
apiVersion: v1
kind: Config
current-context: one
clusters:
- {name: a, cluster: {server: 'https://a:6443/', certificate-authority: ca.crt}}
- {name: b, cluster: {server: 'https://b:6443', certificate-authority-data: UEVN}}
- {name: c, cluster: {server: 'https://c:6443', insecure-skip-tls-verify: true}}
users:
- {name: admin, user: {client-certificate: admin.crt, client-key: admin.key}}
- {name: other, user: {token: secret}}
contexts:
- {name: one, context: {cluster: a, user: admin}}
- {name: two, context: {cluster: b, user: other}}
- {name: three, context: {cluster: c, user: other}}
- {name: lost, context: {cluster: nowhere, user: other}}
";

    fn read(context: Option<&str>) -> Result<Access, ClusterError> {
        let folder = tempfile::tempdir().expect("temp dir");
        std::fs::write(folder.path().join("ca.crt"), "FILE").expect("written");
        let path = folder.path().join("config");
        std::fs::write(&path, CONFIG).expect("written");
        Access::read(&path, context)
    }

    #[test]
    fn the_authority_is_read_from_a_file_or_from_data_and_other_contexts_are_left_out() {
        let one = read(None).expect("usable");
        assert_eq!((one.url.as_str(), one.authority.as_str()), ("https://a:6443", "FILE"));
        assert!(one.kubeconfig.contains("/admin.crt") && !one.kubeconfig.contains("secret"), "{}", one.kubeconfig);
        let two = read(Some("two")).expect("usable");
        assert_eq!((two.url.as_str(), two.authority.as_str()), ("https://b:6443", "PEM"));
        assert!(two.kubeconfig.contains("secret") && !two.kubeconfig.contains("admin.crt"), "{}", two.kubeconfig);
        let again = Kubeconfig::from_yaml(&two.kubeconfig).expect("a kubeconfig");
        assert_eq!((again.current_context.as_deref(), again.contexts.len()), (Some("two"), 1));
    }

    #[test]
    fn what_cannot_be_used_is_refused_with_what_to_do() {
        for (context, says) in [
            (Some("four"), "has no context `four`: name one of `one`, `two`"),
            (Some("three"), "name the certificate-authority instead"),
            (Some("lost"), "names a cluster that is not in the file"),
        ] {
            let error = read(context).expect_err("not usable").to_string();
            assert!(error.contains(says), "{error}");
        }
        let missing = Access::read(Path::new("/nowhere/config"), None).expect_err("no file").to_string();
        assert!(missing.contains("/nowhere/config"), "{missing}");
    }
}
