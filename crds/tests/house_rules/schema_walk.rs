//! Walks the schemas of all kinds: every property and list entry, with the way back up.

use std::fmt;

use jiyun_crds::v1alpha1;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, JSONSchemaPropsOrArray, ValidationRule,
};

/// One property, or the entries of one list, in the schema of a kind.
#[derive(Clone)]
pub struct Node {
    pub kind: String,
    /// Dotted from the root; `[]` stands for the entries of a list.
    pub path: String,
    pub schema: &'static JSONSchemaProps,
    pub required: bool,
    parent: Option<Box<Node>>,
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.path)
    }
}

impl Node {
    pub fn type_of(&self) -> &str {
        self.schema.type_.as_deref().unwrap_or_default()
    }

    pub fn rules(&self) -> Vec<&'static ValidationRule> {
        self.schema.x_kubernetes_validations.iter().flatten().collect()
    }

    pub fn child(&self, name: &str) -> Option<Node> {
        self.children().into_iter().find(|child| child.path == name || child.path.ends_with(&format!(".{name}")))
    }

    /// This node and all above it, up to but without the root.
    pub fn upwards(&self) -> Vec<Node> {
        let mut nodes = vec![self.clone()];
        let mut above = self.parent.as_deref();
        while let Some(node) = above.filter(|node| !node.path.is_empty()) {
            nodes.push(node.clone());
            above = node.parent.as_deref();
        }
        nodes
    }

    pub fn below_spec(&self) -> String {
        self.path.strip_prefix("spec.").unwrap_or(&self.path).to_owned()
    }

    fn children(&self) -> Vec<Node> {
        let required = self.schema.required.clone().unwrap_or_default();
        let below = |path: String, schema, required| Node {
            kind: self.kind.clone(),
            path,
            schema,
            required,
            parent: Some(Box::new(self.clone())),
        };
        let mut nodes = Vec::new();
        for (name, schema) in self.schema.properties.iter().flatten() {
            let path = if self.path.is_empty() { name.clone() } else { format!("{}.{name}", self.path) };
            nodes.push(below(path, schema, required.contains(name)));
        }
        if let Some(JSONSchemaPropsOrArray::Schema(schema)) = &self.schema.items {
            nodes.push(below(format!("{}[]", self.path), schema, true));
        }
        nodes
    }
}

/// The root of every kind's schema.
pub fn roots() -> Vec<Node> {
    v1alpha1::definitions()
        .into_iter()
        .map(|definition| {
            let version = definition.spec.versions.into_iter().next().unwrap();
            let schema = version.schema.and_then(|schema| schema.open_api_v3_schema).unwrap();
            // Leaked: a handful of schemas, alive as long as the test program.
            let schema: &'static JSONSchemaProps = Box::leak(Box::new(schema));
            Node { kind: definition.spec.names.kind, path: String::new(), schema, required: true, parent: None }
        })
        .collect()
}

/// All nodes below a node, at any depth.
pub fn properties(node: &Node) -> Vec<Node> {
    let mut all = Vec::new();
    for child in node.children() {
        let below = properties(&child);
        all.push(child);
        all.extend(below);
    }
    all
}

/// The nodes below `spec` that hold a value.
pub fn spec_leaves(root: &Node) -> Vec<Node> {
    properties(root).into_iter().filter(|node| node.path.starts_with("spec.") && node.children().is_empty()).collect()
}
