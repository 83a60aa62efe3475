//! Which mutants does a file have?
//!
//! A mutation replaces a span of the text by a template. There, `@P` stands for the test whether the mutant is switched on, and `@O`
//! for the text of the span, in which other mutants may be planted: so all mutants of a file can be compiled together. Nothing here
//! knows types, except where the syntax shows them; mutants that do not compile are left out later.

use proc_macro2::Span;
use std::ops::Range;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{
    Arm, Attribute, BinOp, Block, Expr, ExprBinary, ExprIf, ExprLit, ExprMatch, ExprMethodCall, ExprRepeat, ExprUnary,
    ExprWhile, GenericArgument, ImplItemFn, ItemFn, ItemImpl, ItemMod, ItemTrait, Lit, Meta, Pat, PathArguments,
    ReturnType, Signature, Stmt, TraitItemFn, Type, UnOp,
};

pub(crate) struct Mutation {
    /// The function with the type or trait that has it.
    pub(crate) function: String,
    /// The change in words. With the function it names the mutant, whatever else changes in the file.
    pub(crate) what: String,
    pub(crate) span: Range<usize>,
    pub(crate) template: String,
}

/// The mutations of the code that is compiled outside of tests, in no particular order.
pub(crate) fn mutations_of(text: &str) -> syn::Result<Vec<Mutation>> {
    let file = syn::parse_file(text)?;
    let mut finder = Finder { text, owner: String::new(), function: None, negated: None, found: Vec::new() };
    finder.visit_file(&file);
    Ok(finder.found)
}

struct Finder<'a> {
    text: &'a str,
    owner: String,
    /// The function that is visited. Nothing outside of functions is mutated.
    function: Option<String>,
    /// Where the operand of a `!` begins, which needs no second negation.
    negated: Option<usize>,
    found: Vec<Mutation>,
}

/// Closures passed to these methods return `bool`.
const TAKE_PREDICATES: [&str; 13] = [
    "filter",
    "any",
    "all",
    "take_while",
    "skip_while",
    "retain",
    "is_some_and",
    "is_none_or",
    "is_ok_and",
    "position",
    "find",
    "partition_point",
    "extract_if",
];

const OPPOSITES: [(&str, &str); 7] = [
    ("min", "max"),
    ("any", "all"),
    ("first", "last"),
    ("push_back", "push_front"),
    ("pop_front", "pop_back"),
    ("saturating_sub", "wrapping_sub"),
    ("min_by_key", "max_by_key"),
];

impl Finder<'_> {
    fn text_of(&self, span: Span) -> &str {
        &self.text[span.byte_range()]
    }

    fn add(&mut self, span: Range<usize>, template: String, what: String) {
        if let Some(function) = &self.function {
            self.found.push(Mutation { function: function.clone(), what, span, template });
        }
    }

    /// Replaces an expression by another text.
    fn replace(&mut self, span: Span, by: &str, what: String) {
        self.add(span.byte_range(), format!("(if @P {{ {by} }} else {{ @O }})"), what);
    }

    /// Replaces an expression that has a `bool` by a constant, and still evaluates it where that is necessary.
    fn decide(&mut self, span: Span, by: bool, what: &str) {
        let template = if by { "(@P || (@O))" } else { "(!@P && (@O))" };
        self.add(span.byte_range(), template.to_owned(), format!("{what} `{}`: {by}", short(self.text_of(span))));
    }

    fn flip(&mut self, span: Span) {
        let what = format!("negate `{}`", short(self.text_of(span)));
        self.add(span.byte_range(), "((@O) ^ @P)".to_owned(), what);
    }

    fn condition(&mut self, condition: &Expr, may_be_true: bool) {
        if has_let(condition) {
            let what = format!("condition `{}`: false", short(self.text_of(condition.span())));
            return self.add(condition.span().byte_range(), "!@P && @O".to_owned(), what);
        }
        if may_be_true {
            self.decide(condition.span(), true, "condition");
        }
        self.decide(condition.span(), false, "condition");
    }

    fn visit_function(&mut self, attributes: &[Attribute], signature: &Signature, block: &Block) {
        if is_for_tests(attributes)
            || signature.constness.is_some()
            || ["fmt", "default"].iter().any(|name| signature.ident == name)
        {
            return;
        }
        let name = if self.owner.is_empty() { String::new() } else { format!("{}::", self.owner) };
        let outer = self.function.replace(format!("{name}{}", signature.ident));
        if !block.stmts.is_empty() {
            let at = block.brace_token.span.open().byte_range().end;
            for value in returned_values(&signature.output) {
                let what = if value.is_empty() { "return at once".to_owned() } else { format!("return `{value}`") };
                self.add(at..at, format!(" if @P {{ return {value}; }}"), what);
            }
        }
        visit::visit_block(self, block);
        self.function = outer;
    }

    fn in_owner(&mut self, owner: String, visit: impl FnOnce(&mut Self)) {
        let outer = std::mem::replace(&mut self.owner, owner);
        visit(self);
        self.owner = outer;
    }
}

impl<'ast> Visit<'ast> for Finder<'_> {
    fn visit_item_mod(&mut self, module: &'ast ItemMod) {
        if !is_for_tests(&module.attrs) {
            visit::visit_item_mod(self, module);
        }
    }

    fn visit_item_impl(&mut self, item: &'ast ItemImpl) {
        if !is_for_tests(&item.attrs) {
            let owner = name_of(&item.self_ty);
            self.in_owner(owner, |finder| visit::visit_item_impl(finder, item));
        }
    }

    fn visit_item_trait(&mut self, item: &'ast ItemTrait) {
        self.in_owner(item.ident.to_string(), |finder| visit::visit_item_trait(finder, item));
    }

    fn visit_item_fn(&mut self, item: &'ast ItemFn) {
        self.visit_function(&item.attrs, &item.sig, &item.block);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast ImplItemFn) {
        self.visit_function(&item.attrs, &item.sig, &item.block);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast TraitItemFn) {
        if let Some(block) = &item.default {
            self.visit_function(&item.attrs, &item.sig, block);
        }
    }

    fn visit_item_const(&mut self, _: &'ast syn::ItemConst) {}
    fn visit_item_static(&mut self, _: &'ast syn::ItemStatic) {}
    fn visit_attribute(&mut self, _: &'ast Attribute) {}
    fn visit_type(&mut self, _: &'ast Type) {}
    fn visit_generic_argument(&mut self, _: &'ast GenericArgument) {}

    fn visit_pat(&mut self, _: &'ast Pat) {}

    fn visit_expr_repeat(&mut self, repeat: &'ast ExprRepeat) {
        self.visit_expr(&repeat.expr);
    }

    fn visit_stmt(&mut self, statement: &'ast Stmt) {
        if let Stmt::Expr(expression, semicolon) = statement {
            let loops = matches!(expression, Expr::ForLoop(_) | Expr::While(_));
            let acts = matches!(
                expression,
                Expr::MethodCall(_)
                    | Expr::Call(_)
                    | Expr::Assign(_)
                    | Expr::Break(_)
                    | Expr::Continue(_)
                    | Expr::Return(_)
                    | Expr::Try(_)
            ) || matches!(expression, Expr::Binary(binary) if is_assignment(&binary.op));
            if loops || (acts && semicolon.is_some()) {
                let what = format!("delete `{}`", short(self.text_of(statement.span())));
                self.add(statement.span().byte_range(), "if !@P { @O }".to_owned(), what);
            }
        }
        visit::visit_stmt(self, statement);
    }

    fn visit_expr_binary(&mut self, binary: &'ast ExprBinary) {
        let span = binary.span().byte_range();
        let operator = binary.op.span().byte_range();
        let with_let = has_let(&binary.left) || has_let(&binary.right);
        for by in replacements(&binary.op).iter().filter(|_| !with_let) {
            let text = format!("{}{by}{}", &self.text[span.start..operator.start], &self.text[operator.end..span.end]);
            let what = format!("`{}` in `{}`: `{by}`", &self.text[operator.clone()], short(&self.text[span.clone()]));
            if is_assignment(&binary.op) {
                self.add(span.clone(), format!("(if @P {{ {text}; }} else {{ @O; }})"), what);
            } else {
                self.replace(binary.span(), &text, what);
            }
        }
        visit::visit_expr_binary(self, binary);
    }

    fn visit_expr_unary(&mut self, unary: &'ast ExprUnary) {
        let operand = unary.expr.span();
        if matches!(unary.op, UnOp::Not(_) | UnOp::Neg(_)) {
            let by = self.text_of(operand).to_owned();
            self.replace(unary.span(), &by, format!("`{}`: without the operator", short(self.text_of(unary.span()))));
            self.negated = Some(operand.byte_range().start);
        }
        visit::visit_expr_unary(self, unary);
    }

    fn visit_expr_if(&mut self, item: &'ast ExprIf) {
        self.condition(&item.cond, true);
        visit::visit_expr_if(self, item);
    }

    fn visit_expr_while(&mut self, item: &'ast ExprWhile) {
        self.condition(&item.cond, false);
        visit::visit_expr_while(self, item);
    }

    fn visit_expr_match(&mut self, item: &'ast ExprMatch) {
        // A guard takes an arm out of the check that all cases are covered.
        let covers_all = item.arms.last().is_some_and(|arm| matches!(arm.pat, Pat::Wild(_) | Pat::Ident(_)));
        for arm in &item.arms[..item.arms.len() - 1] {
            if covers_all && !matches!(arm.pat, Pat::Guard(_)) && arm.attrs.is_empty() {
                let end = arm.pat.span().byte_range().end;
                self.add(
                    end..end,
                    " if !@P".to_owned(),
                    format!("delete the case `{}`", short(self.text_of(arm.pat.span()))),
                );
            }
        }
        visit::visit_expr_match(self, item);
    }

    fn visit_arm(&mut self, arm: &'ast Arm) {
        if let Pat::Guard(guarded) = &arm.pat {
            self.condition(&guarded.guard, true);
            self.visit_expr(&guarded.guard);
        }
        self.visit_expr(&arm.body);
    }

    fn visit_expr_method_call(&mut self, call: &'ast ExprMethodCall) {
        let span = call.span();
        let name = call.method.to_string();
        let is_test =
            ["is_", "has_", "contains", "starts_with", "any", "all"].iter().any(|start| name.starts_with(start));
        if is_test && self.negated != Some(span.byte_range().start) {
            self.flip(span);
        }
        let opposites = OPPOSITES.iter().flat_map(|(one, other)| [(one, other), (other, one)]);
        for (_, by) in opposites.filter(|(from, _)| **from == name) {
            let (whole, method) = (span.byte_range(), call.method.span().byte_range());
            let text = format!("{}{by}{}", &self.text[whole.start..method.start], &self.text[method.end..whole.end]);
            self.replace(span, &text, format!("`{name}` in `{}`: `{by}`", short(&self.text[whole])));
        }
        if TAKE_PREDICATES.contains(&&*name)
            && let [Expr::Closure(closure)] = &*call.args.iter().collect::<Vec<_>>()
        {
            self.decide(closure.body.span(), true, "predicate");
            self.decide(closure.body.span(), false, "predicate");
        }
        visit::visit_expr_method_call(self, call);
    }

    fn visit_expr_lit(&mut self, literal: &'ast ExprLit) {
        let span = literal.span();
        match &literal.lit {
            Lit::Bool(_) => self.flip(span),
            Lit::Int(int) => {
                let Ok(value) = int.base10_parse::<u64>() else { return };
                let others = if value > 1 { vec![value - 1, value + 1] } else { vec![1 - value] };
                for other in others {
                    let by = format!("{other}{}", int.suffix());
                    self.replace(span, &by, format!("`{}`: `{by}`", self.text_of(span)));
                }
            }
            _ => {}
        }
    }
}

fn replacements(operator: &BinOp) -> &'static [&'static str] {
    match operator {
        BinOp::Eq(_) => &["!="],
        BinOp::Ne(_) => &["=="],
        BinOp::Lt(_) => &["<=", ">="],
        BinOp::Le(_) => &["<", ">"],
        BinOp::Gt(_) => &[">=", "<="],
        BinOp::Ge(_) => &[">", "<"],
        BinOp::And(_) => &["||"],
        BinOp::Or(_) => &["&&"],
        BinOp::Add(_) => &["-"],
        BinOp::Sub(_) => &["+"],
        BinOp::Mul(_) => &["/"],
        BinOp::Div(_) => &["*"],
        BinOp::Rem(_) => &["/"],
        BinOp::BitAnd(_) => &["|"],
        BinOp::BitOr(_) => &["&"],
        BinOp::BitXor(_) => &["|"],
        BinOp::Shl(_) => &[">>"],
        BinOp::Shr(_) => &["<<"],
        BinOp::AddAssign(_) => &["-="],
        BinOp::SubAssign(_) => &["+="],
        BinOp::BitAndAssign(_) => &["|="],
        BinOp::BitOrAssign(_) => &["&="],
        _ => &[],
    }
}

fn is_assignment(operator: &BinOp) -> bool {
    use BinOp::*;
    matches!(
        operator,
        AddAssign(_)
            | SubAssign(_)
            | MulAssign(_)
            | DivAssign(_)
            | RemAssign(_)
            | BitXorAssign(_)
            | BitAndAssign(_)
            | BitOrAssign(_)
            | ShlAssign(_)
            | ShrAssign(_)
    )
}

/// Whether a condition is a chain with `let`, which admits neither parentheses nor `||`.
fn has_let(condition: &Expr) -> bool {
    match condition {
        Expr::Let(_) => true,
        Expr::Binary(binary) => has_let(&binary.left) || has_let(&binary.right),
        _ => false,
    }
}

/// Whether an item is compiled for tests or concurrency checkers only.
fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        Meta::Path(path) => path.is_ident("test"),
        Meta::List(list) if list.path.is_ident("cfg") => {
            let condition = list.tokens.to_string();
            !condition.starts_with("not")
                && (condition.contains("test") && !condition.contains("\"testing\"") || condition.contains("memdex_"))
        }
        _ => false,
    })
}

/// The values that a function could return instead of its result. An empty text is `()`.
fn returned_values(output: &ReturnType) -> Vec<String> {
    match output {
        ReturnType::Default => vec![String::new()],
        ReturnType::Type(_, of) => values_of(of),
    }
}

fn values_of(of: &Type) -> Vec<String> {
    match of {
        Type::Tuple(tuple) if tuple.elems.is_empty() => vec!["()".to_owned()],
        Type::Path(path) => {
            let Some(last) = path.path.segments.last() else { return Vec::new() };
            match &*last.ident.to_string() {
                "bool" => vec!["true".to_owned(), "false".to_owned()],
                "u8" | "u16" | "u32" | "u64" | "u128" | "usize" | "i8" | "i16" | "i32" | "i64" | "i128" | "isize" => {
                    vec!["0".to_owned(), "1".to_owned()]
                }
                "Option" => vec!["None".to_owned()],
                "Result" => match &last.arguments {
                    PathArguments::AngleBracketed(arguments) => match arguments.args.first() {
                        Some(GenericArgument::Type(ok)) => {
                            values_of(ok).iter().map(|value| format!("Ok({value})")).collect()
                        }
                        _ => Vec::new(),
                    },
                    _ => Vec::new(),
                },
                "Self" => Vec::new(),
                _ => vec!["Default::default()".to_owned()],
            }
        }
        _ => Vec::new(),
    }
}

fn name_of(of: &Type) -> String {
    match of {
        Type::Path(path) => path.path.segments.last().map_or_else(String::new, |last| last.ident.to_string()),
        _ => String::new(),
    }
}

/// One line of at most 70 characters.
fn short(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= 70 { line } else { line.chars().take(69).chain(['…']).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODE: &str = "
        impl Wheel {
            fn due(&mut self, now: u64) -> Option<u32> {
                // A comment.
                self.moves += 1;
                self.tidy();
                if let Some(next) = self.next && next <= now { return None; }
                match now { 0 => Some(2), _ if self.parts.is_empty() => None, _ => self.parts.iter().filter(|row| **row != 0).min() }
            }
        }
        #[cfg(test)]
        mod tests { fn not_here() { a += 1; } }
    ";

    /// Applies a mutation as the runner does, for a mutant that stays switched on.
    fn applied(mutation: &Mutation) -> String {
        let new = mutation.template.replace("@O", &CODE[mutation.span.clone()]).replace("@P", "planted(1)");
        format!("{}{new}{}", &CODE[..mutation.span.start], &CODE[mutation.span.end..])
    }

    #[test]
    fn the_kinds_of_mutation_are_found() {
        let found = mutations_of(CODE).unwrap();
        let mut whats: Vec<&str> = found.iter().map(|mutation| &*mutation.what).collect();
        whats.sort_unstable();
        let expected = [
            "`!=` in `**row != 0`: `==`",
            "`+=` in `self.moves += 1`: `-=`",
            "`0`: `1`",
            "`1`: `0`",
            "`2`: `1`",
            "`2`: `3`",
            "`<=` in `next <= now`: `<`",
            "`<=` in `next <= now`: `>`",
            "`min` in `self.parts.iter().filter(|row| **row != 0).min()`: `max`",
            "condition `let Some(next) = self.next && next <= now`: false",
            "condition `self.parts.is_empty()`: false",
            "condition `self.parts.is_empty()`: true",
            "delete `return None;`",
            "delete `self.moves += 1;`",
            "delete `self.tidy();`",
            "delete the case `0`",
            "negate `self.parts.is_empty()`",
            "predicate `**row != 0`: false",
            "predicate `**row != 0`: true",
            "return `None`",
        ];
        assert_eq!(whats, expected);
        assert!(found.iter().all(|mutation| mutation.function == "Wheel::due"));
    }

    #[test]
    fn each_mutant_is_a_program() {
        for mutation in mutations_of(CODE).unwrap() {
            let text = applied(&mutation);
            assert!(text.contains("planted(1)"), "{}", mutation.what);
            syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}\n{text}", mutation.what));
        }
    }
}
