#!/usr/bin/env python3
"""Headers of the standard library that a file names and does not include, itself or by way of a header of ours. One library
brings them along by way of another header, and the next release of it does not: Debian 12 and 13 differ."""

import re

from sources import ROOT, blank, is_cpp, line_of, report, repository_files

WHY = "Include what is used: libstdc++ 12 brings these along by way of others, libstdc++ 14 does not."

FOLDERS = ("src/", "include/", "fuzz/", "bench/")
NAMES = {
    "algorithm": r"adjacent_find|all_of|any_of|binary_search|clamp|copy|copy_if|copy_n|count|count_if|equal|equal_range|fill|"
                 r"fill_n|find|find_end|find_first_of|find_if|find_if_not|for_each|generate|includes|is_sorted|"
                 r"lexicographical_compare|lower_bound|max|max_element|merge|min|min_element|minmax|mismatch|none_of|nth_element|"
                 r"partial_sort|partition|remove_if|replace|replace_if|reverse|rotate|search|set_difference|set_intersection|"
                 r"set_union|shuffle|sort|stable_sort|transform|unique|upper_bound",
    "array": r"array|to_array", "atomic": r"atomic|atomic_flag", "charconv": r"from_chars|to_chars",
    "cmath": r"abs|ceil|floor|isfinite|isnan|pow|round|sqrt", "condition_variable": r"condition_variable",
    "cstdio": r"fclose|fopen|fprintf|printf|snprintf", "cstdlib": r"_Exit|abort|exit|getenv|strtol|strtoul",
    "cstring": r"memchr|memcmp|memcpy|memmove|memset|strcmp|strerror|strlen|strncmp|strstr", "deque": r"deque",
    "fstream": r"fstream|ifstream|ofstream", "functional": r"function|hash|invoke", "future": r"async|future|promise",
    "iostream": r"cerr|cin|cout",
    "iterator": r"back_inserter|inserter|istream_iterator|istreambuf_iterator|make_move_iterator|next|ostream_iterator|prev",
    "limits": r"numeric_limits", "list": r"list", "map": r"map|multimap",
    "memory": r"make_shared|make_unique|shared_ptr|unique_ptr|weak_ptr", "mutex": r"lock_guard|mutex|scoped_lock|unique_lock",
    "numeric": r"accumulate|gcd|inner_product|iota|reduce", "optional": r"nullopt|optional", "random": r"mt19937|mt19937_64",
    "regex": r"regex", "set": r"multiset|set", "span": r"span", "sstream": r"istringstream|ostringstream|stringstream",
    "stdexcept": r"invalid_argument|logic_error|out_of_range|runtime_error", "string": r"string|to_string",
    "string_view": r"string_view", "thread": r"jthread|this_thread|thread", "tuple": r"make_tuple|tie|tuple",
    "unordered_map": r"unordered_map", "unordered_set": r"unordered_set", "variant": r"get_if|holds_alternative|variant|visit",
    "vector": r"vector",
}
# What the standard, or every release of the library, brings along.
BROUGHT = {
    "cstdlib": {"stdlib.h"}, "cmath": {"cstdlib", "math.h"}, "cstdio": {"stdio.h"},
    "cstring": {"string.h"}, "string_view": {"string"}, "string": {"string_view"},
    "iterator": {"map", "set", "vector", "string", "array", "deque", "list", "span", "unordered_map"},
}
_names = {header: re.compile(rf"\bstd::(?:{names})\b") for header, names in NAMES.items()}
_include = re.compile(r'^#include [<"]([^>"]+)[>"]', re.M)


def included(name, includes, seen):
    """What the file includes, and what the headers of ours among that do."""
    found = set()
    for one in includes.get(name, ()):
        found.add(one)
        for folder in (*FOLDERS, name.rsplit("/", 1)[0] + "/"):
            if folder + one in includes and folder + one not in seen:
                seen.add(folder + one)
                found |= included(folder + one, includes, seen)
    return found


def complaints_about(name, texts):
    """`texts`: {name: text} of the file and of the headers of ours that it may include."""
    includes = {one: _include.findall(text) for one, text in texts.items()}
    has = included(name, includes, {name})
    code = blank(texts[name])
    found = []
    for header, pattern in _names.items():
        use = pattern.search(code)
        if use and header not in has and not has & BROUGHT.get(header, set()):
            found.append(f"{name}:{line_of(code, use.start())}: {use.group(0)} without <{header}>")
    return found


def main():
    texts = {name: (ROOT / name).read_text() for name in repository_files() if is_cpp(name) and name.startswith(FOLDERS)}
    report("includes", [one for name in texts for one in complaints_about(name, texts)], WHY)


if __name__ == "__main__":
    main()
