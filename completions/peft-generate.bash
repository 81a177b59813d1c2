# bash completion for peft-generate: made by `peft-generate --completion=bash'
_peft_generate() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}
	if [[ $cur == = ]]; then cur=; elif [[ $prev == = ]]; then prev=${COMP_WORDS[COMP_CWORD-2]}; fi
	case $prev in
	--compute) COMPREPLY=($(compgen -W 'f32 bf16 int8' -- "$cur")); return ;;
	--completion) COMPREPLY=($(compgen -W 'bash zsh' -- "$cur")); return ;;
	esac
	if [[ $cur == -* ]]; then
		COMPREPLY=($(compgen -W ' -m --model= -a --adapter= --adapters= --combine= -p --prompt= --system= --raw --max-tokens= --temperature= --top-p= --top-k= --jsonl --keep-going --width= --kv-limit= --compute= --any-base -o --output= -f --force -j --threads= -s --seed= -q --quiet -v --verbose --log-json --completion= -h --help -V --version' -- "$cur"))
		[[ ${COMPREPLY-} == *= ]] && compopt -o nospace
	else
		compopt -o filenames
		COMPREPLY=($(compgen -f -- "$cur"))
	fi
}
complete -F _peft_generate peft-generate
