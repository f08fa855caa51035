"""Key policies and identity policies (IAM user guide, "Policy evaluation logic"), as far as KMS keys need them."""

import fnmatch

LISTS = (list, tuple)


def _many(value):
    return list(value) if isinstance(value, LISTS) else [value]


def _is_principal(statement, principal):
    named = statement.get("Principal")
    if named is None or named == "*":
        return True  # an identity policy names none: it is the principal's own
    names = _many(named.get("AWS", [])) if isinstance(named, dict) else _many(named)
    own = {"*", principal["arn"], principal.get("role_arn", principal["arn"])}
    return any(name in own for name in names)


def _is_account(statement, principal):
    """The account's root as principal: whom the account's own policies allow."""
    named = statement.get("Principal")
    names = _many(named.get("AWS", [])) if isinstance(named, dict) else []
    return any(name in (f"arn:aws:iam::{principal['account']}:root", principal["account"]) for name in names)


def _matches(pattern, text):
    return fnmatch.fnmatchcase(text.lower(), pattern.lower().replace("[", "[[]"))


def _one_condition(operator, key, wanted, context):
    wanted = [str(each) for each in _many(wanted)]
    name = operator.removesuffix("IfExists")
    found = next((value for each, value in context.items() if each.lower() == key.lower()), None)
    if name == "Null":
        return (found is None) == (wanted[0].lower() == "true")
    if found is None:
        return operator.endswith("IfExists") or "Not" in name
    tests = {
        "StringEquals": lambda want: want == found,
        "StringEqualsIgnoreCase": lambda want: want.lower() == found.lower(),
        "StringLike": lambda want: fnmatch.fnmatchcase(found, want.replace("[", "[[]")),
        "ArnLike": lambda want: fnmatch.fnmatchcase(found, want.replace("[", "[[]")),
        "ArnEquals": lambda want: fnmatch.fnmatchcase(found, want.replace("[", "[[]")),
        "Bool": lambda want: want.lower() == found.lower(),
    }
    negative = {"StringNotEquals": "StringEquals", "StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase",
                "StringNotLike": "StringLike", "ArnNotLike": "ArnLike", "ArnNotEquals": "ArnEquals"}
    if name in negative:
        return not any(tests[negative[name]](want) for want in wanted)
    if name not in tests:
        raise ValueError(f"the emulator does not know the condition operator {operator}")
    return any(tests[name](want) for want in wanted)


def _holds(statement, action, resource, context):
    actions = _many(statement.get("Action", []))
    excepted = _many(statement.get("NotAction", []))
    if actions and not any(_matches(each, action) for each in actions):
        return False
    if excepted and any(_matches(each, action) for each in excepted):
        return False
    if not any(_matches(each, resource) for each in _many(statement.get("Resource", "*"))):
        return False
    return all(
        _one_condition(operator, key, wanted, context)
        for operator, keys in statement.get("Condition", {}).items()
        for key, wanted in keys.items()
    )


def _statements(policy):
    return _many(policy.get("Statement", [])) if policy else []


def decide(principal, action, resource, key_policy, context):
    """None where the call is allowed, else the words that end AWS's message."""
    own = [each for policy in principal.get("policies", []) for each in _statements(policy)]
    on_key = _statements(key_policy)
    denying = [each for each in on_key if _is_principal(each, principal) or _is_account(each, principal)]
    for each in [*denying, *own]:
        if each.get("Effect") == "Deny" and _holds(each, action, resource, context):
            where = "resource-based" if each in on_key else "identity-based"
            return f"with an explicit deny in a {where} policy"
    allowing = [each for each in on_key if each.get("Effect") == "Allow" and _holds(each, action, resource, context)]
    if any(_is_principal(each, principal) for each in allowing):
        return None
    delegated = any(_is_account(each, principal) for each in allowing)
    if delegated and any(each.get("Effect") == "Allow" and _holds(each, action, resource, context) for each in own):
        return None
    if delegated:
        return f"because no identity-based policy allows the {action} action"
    return f"because no resource-based policy allows the {action} action"
