#include "tool/completion.h"

/* A command's path within the program: `/schema/lint`, the program itself `/`. */
typedef struct command_path {
    const struct command_path *parent;
    const tg_command *command;
} command_path;

typedef tg_result visit_fn(const command_path *path, tg_buf *buf);

/* Calls `visit` for the command and all below it. */
static tg_result walk(const command_path *path, visit_fn *visit, tg_buf *buf)
{
    TG_TRY(visit(path, buf));
    for (size_t i = 0; i < path->command->num_commands; i++) {
        const command_path below = {path, path->command->commands[i]};
        TG_TRY(walk(&below, visit, buf));
    }
    return tg_ok();
}

static tg_result append_path(const command_path *path, tg_buf *buf)
{
    if (path->parent == NULL) {
        return tg_ok();
    }
    TG_TRY(append_path(path->parent, buf));
    return tg_buf_printf(buf, "/%s", path->command->name);
}

/* Text within single quotes; a quote in it ends them, stands escaped, and begins them again. */
static tg_result append_quoted(const char *text, tg_buf *buf)
{
    TG_TRY(tg_buf_append_byte(buf, '\''));
    for (; *text != 0; text++) {
        TG_TRY(*text == '\'' ? tg_buf_append_str(buf, "'\\''") : tg_buf_append_byte(buf, (uint8_t)*text));
    }
    return tg_buf_append_byte(buf, '\'');
}

/* `"/schema"|"/schema/lint")` for each command below the program: the pattern that extends the path. */
static tg_result append_step(const command_path *path, tg_buf *buf)
{
    if (path->parent == NULL) {
        return tg_ok();
    }
    TG_TRY(tg_buf_append_str(buf, "            "));
    TG_TRY(append_path(path, buf));
    return tg_buf_append_str(buf, ") at=$at/$word ;;\n");
}

static const char *action_of(tg_completes completes)
{
    switch (completes) {
    case TG_COMPLETES_FILES:
        return "files";
    case TG_COMPLETES_FOLDERS:
        return "folders";
    case TG_COMPLETES_WORDS:
        return "words";
    case TG_COMPLETES_NOTHING:
        break;
    }
    return "nothing";
}

/* The value of each option that takes one. */
static tg_result append_values(const command_path *path, tg_buf *buf)
{
    for (size_t i = 0; i < path->command->num_options; i++) {
        const tg_option *option = &path->command->options[i];
        if (option->argument == NULL) {
            continue;
        }
        TG_TRY(tg_buf_append_str(buf, "        '"));
        TG_TRY(append_path(path, buf));
        TG_TRY(tg_buf_printf(buf, " --%s')", option->name));
        TG_TRY(tg_buf_printf(buf, " kind=%s", action_of(option->completes)));
        if (option->completes == TG_COMPLETES_WORDS) {
            TG_TRY(tg_buf_append_str(buf, " words="));
            TG_TRY(append_quoted(option->words, buf));
        }
        TG_TRY(tg_buf_append_str(buf, " ;;\n"));
    }
    return tg_ok();
}

/* What else may stand at a command: its subcommands, or its arguments; and its options. */
static tg_result append_words(const command_path *path, tg_buf *buf)
{
    const tg_command *command = path->command;
    TG_TRY(tg_buf_append_str(buf, "        '"));
    TG_TRY(append_path(path, buf));
    TG_TRY(tg_buf_append_str(buf, "') options='--help"));
    for (size_t i = 0; i < command->num_options; i++) {
        TG_TRY(tg_buf_printf(buf, " --%s", command->options[i].name));
    }
    TG_TRY(tg_buf_append_str(buf, "'"));
    if (command->num_commands > 0) {
        TG_TRY(tg_buf_append_str(buf, " kind=words words='"));
        for (size_t i = 0; i < command->num_commands; i++) {
            TG_TRY(tg_buf_printf(buf, "%s%s", i > 0 ? " " : "", command->commands[i]->name));
        }
        TG_TRY(tg_buf_append_str(buf, "'"));
    } else {
        TG_TRY(tg_buf_printf(buf, " kind=%s", action_of(command->completes)));
        if (command->completes == TG_COMPLETES_WORDS) {
            TG_TRY(tg_buf_append_str(buf, " words="));
            TG_TRY(append_quoted(command->words, buf));
        }
    }
    return tg_buf_append_str(buf, " ;;\n");
}

/* Bash and zsh share the body: `before` is the words before the cursor, `previous` the last of them. It sets kind,
 * words and options. */
static tg_result append_body(const command_path *root, tg_buf *buf)
{
    TG_TRY(tg_buf_append_str(buf, "    local at= kind=nothing words= options= word\n"
                                  "    for word in \"${before[@]}\"; do\n"
                                  "        case $at/$word in\n"));
    TG_TRY(walk(root, append_step, buf));
    TG_TRY(tg_buf_append_str(buf, "        esac\n"
                                  "    done\n"
                                  "    case \"$at $previous\" in\n"));
    TG_TRY(walk(root, append_values, buf));
    TG_TRY(tg_buf_append_str(buf, "    *) case $at in\n"));
    TG_TRY(walk(root, append_words, buf));
    return tg_buf_append_str(buf, "       esac ;;\n"
                                  "    esac\n");
}

tg_result tg_completion_append_bash(const tg_command *program, tg_buf *buf)
{
    const command_path root = {NULL, program};
    TG_TRY(tg_buf_printf(buf,
                         "# bash completion of %s: source it, or put it into bash_completion.d\n"
                         "_%s() {\n"
                         "    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}\n"
                         "    local -a before=(\"${COMP_WORDS[@]:1:COMP_CWORD-1}\")\n"
                         "    if [[ $current == '=' ]]; then current=; # --name=value arrives as three words\n"
                         "    elif [[ $previous == '=' ]]; then previous=${COMP_WORDS[COMP_CWORD-2]}; fi\n",
                         program->name, program->name));
    TG_TRY(append_body(&root, buf));
    return tg_buf_printf(buf,
                         "    COMPREPLY=()\n"
                         "    if [[ $current == -* && -n $options ]]; then\n"
                         "        COMPREPLY=($(compgen -W \"$options\" -- \"$current\"))\n"
                         "    elif [[ $kind == words ]]; then\n"
                         "        COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
                         "    elif [[ $kind == files ]]; then\n"
                         "        compopt -o filenames 2>/dev/null\n"
                         "        mapfile -t COMPREPLY < <(compgen -f -- \"$current\")\n"
                         "    elif [[ $kind == folders ]]; then\n"
                         "        compopt -o filenames 2>/dev/null\n"
                         "        mapfile -t COMPREPLY < <(compgen -d -- \"$current\")\n"
                         "    fi\n"
                         "}\n"
                         "complete -F _%s %s\n",
                         program->name, program->name);
}

tg_result tg_completion_append_zsh(const tg_command *program, tg_buf *buf)
{
    const command_path root = {NULL, program};
    TG_TRY(tg_buf_printf(buf,
                         "#compdef %s\n"
                         "# zsh completion of %s: put it as _%s into a folder of $fpath, or source it\n"
                         "_%s() {\n"
                         "    local current=${words[CURRENT]} previous=${words[CURRENT-1]}\n"
                         "    local -a before=(\"${(@)words[2,CURRENT-1]}\")\n"
                         "    if [[ $current == --*=* ]]; then\n"
                         "        previous=${current%%%%=*}; compset -P '*='; current=\n"
                         "    fi\n",
                         program->name, program->name, program->name, program->name));
    TG_TRY(append_body(&root, buf));
    return tg_buf_printf(buf,
                         "    if [[ $current == -* && -n $options ]]; then compadd -- ${=options}\n"
                         "    elif [[ $kind == words ]]; then compadd -- ${=words}\n"
                         "    elif [[ $kind == files ]]; then _files\n"
                         "    elif [[ $kind == folders ]]; then _files -/\n"
                         "    fi\n"
                         "}\n"
                         "if [[ $funcstack[1] == _%s ]]; then _%s \"$@\"; else compdef _%s %s; fi\n",
                         program->name, program->name, program->name, program->name);
}

/* In fish each line's condition names the commands that must stand before the cursor, and those that must not. */
static tg_result append_fish_condition(const command_path *path, tg_buf *buf)
{
    TG_TRY(tg_buf_append_str(buf, " -n '"));
    const char *before = "";
    for (const command_path *each = path; each->parent != NULL; each = each->parent) {
        TG_TRY(tg_buf_printf(buf, "%s__fish_seen_subcommand_from %s", before, each->command->name));
        before = "; and ";
    }
    if (path->command->num_commands > 0) {
        TG_TRY(tg_buf_printf(buf, "%snot __fish_seen_subcommand_from", before));
        for (size_t i = 0; i < path->command->num_commands; i++) {
            TG_TRY(tg_buf_printf(buf, " %s", path->command->commands[i]->name));
        }
        before = ".";
    }
    return tg_buf_append_str(buf, *before != 0 ? "'" : "true'");
}

static tg_result append_fish_line(const command_path *path, const char *program, tg_buf *buf)
{
    TG_TRY(tg_buf_printf(buf, "complete -c %s", program));
    return append_fish_condition(path, buf);
}

static tg_result append_fish_values(tg_completes completes, const char *words, bool is_argument, tg_buf *buf)
{
    const char *no_files = completes == TG_COMPLETES_FILES ? "" : " -f";
    TG_TRY(tg_buf_printf(buf, "%s", is_argument || completes != TG_COMPLETES_FILES ? no_files : " -F"));
    if (completes == TG_COMPLETES_FOLDERS) {
        return tg_buf_append_str(buf, " -a '(__fish_complete_directories)'");
    }
    if (completes == TG_COMPLETES_WORDS) {
        TG_TRY(tg_buf_append_str(buf, " -a "));
        return append_quoted(words, buf);
    }
    return tg_ok();
}

static tg_result append_fish_command(const command_path *path, tg_buf *buf)
{
    const command_path *root = path;
    while (root->parent != NULL) {
        root = root->parent;
    }
    const char *program = root->command->name;
    const tg_command *command = path->command;
    for (size_t i = 0; i < command->num_commands; i++) {
        TG_TRY(append_fish_line(path, program, buf));
        TG_TRY(tg_buf_printf(buf, " -f -a %s -d ", command->commands[i]->name));
        TG_TRY(append_quoted(command->commands[i]->summary, buf));
        TG_TRY(tg_buf_append_byte(buf, '\n'));
    }
    for (size_t i = 0; i < command->num_options; i++) {
        const tg_option *option = &command->options[i];
        TG_TRY(append_fish_line(path, program, buf));
        TG_TRY(tg_buf_printf(buf, " -l %s", option->name));
        if (option->letter != 0) {
            TG_TRY(tg_buf_printf(buf, " -s %c", option->letter));
        }
        if (option->argument != NULL) {
            TG_TRY(tg_buf_append_str(buf, " -r"));
            TG_TRY(append_fish_values(option->completes, option->words, false, buf));
        }
        TG_TRY(tg_buf_append_str(buf, " -d "));
        TG_TRY(append_quoted(option->help, buf));
        TG_TRY(tg_buf_append_byte(buf, '\n'));
    }
    if (command->num_commands == 0 && command->completes != TG_COMPLETES_FILES) {
        TG_TRY(append_fish_line(path, program, buf));
        TG_TRY(append_fish_values(command->completes, command->words, true, buf));
        TG_TRY(tg_buf_append_byte(buf, '\n'));
    }
    return tg_ok();
}

tg_result tg_completion_append_fish(const tg_command *program, tg_buf *buf)
{
    const command_path root = {NULL, program};
    TG_TRY(tg_buf_printf(buf,
                         "# fish completion of %s: put it into ~/.config/fish/completions/%s.fish\n"
                         "complete -c %s -s h -l help -d 'show help and end'\n",
                         program->name, program->name, program->name));
    return walk(&root, append_fish_command, buf);
}
