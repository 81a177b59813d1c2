# bash completion for peft-quantize: made by `peft-quantize --completion=bash'
_peft_quantize() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}
	if [[ $cur == = ]]; then cur=; elif [[ $prev == = ]]; then prev=${COMP_WORDS[COMP_CWORD-2]}; fi
	case $prev in
	--completion) COMPREPLY=($(compgen -W 'bash zsh' -- "$cur")); return ;;
	esac
	if [[ $cur == -* ]]; then
		COMPREPLY=($(compgen -W ' -t --type= --list-types --keep= --pure --double-quant --block-size= --imatrix= --shard= --report --fit= --fit-types= --calibrate= --residual-rank= --residual-out= --residual-iters= --verify= --fail-below= --fail-above= -o --output= -f --force -n --dry-run -j --threads= -q --quiet -v --verbose --log-json --completion= -h --help -V --version' -- "$cur"))
		[[ ${COMPREPLY-} == *= ]] && compopt -o nospace
	else
		compopt -o filenames
		COMPREPLY=($(compgen -f -- "$cur"))
	fi
}
complete -F _peft_quantize peft-quantize
